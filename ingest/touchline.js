// Reports a page's visits and events to Touchline:
//   <script async src="https://edge.example/touchline.js" data-key="web_…"></script>
//   touchline('event', 'payment', {event_id: 'order-7', revenue: {amount: '4.99', currency: 'EUR'}});
// Calls before it are kept by a line in the page:
//   window.touchline = window.touchline || function () { (touchline.q = touchline.q || []).push(arguments); };
(function (window, document) {
  'use strict';
  var script = document.currentScript || document.querySelector('script[data-key][src*="touchline.js"]');
  if (!script) return;
  var edge = script.src.replace(/\/touchline\.js.*$/, '');
  var key = script.getAttribute('data-key') || '';
  var NAME = 'touchline_visitor', YEAR_S = 31536000, TRIES = 4;

  function uuid() {
    if (window.crypto && crypto.randomUUID) return crypto.randomUUID();
    return 'xxxxxxxx-xxxx-4xxx-8xxx-xxxxxxxxxxxx'.replace(/x/g, function () {
      var one = window.crypto ? crypto.getRandomValues(new Uint8Array(1))[0] % 16 : Math.random() * 16 | 0;
      return one.toString(16);
    });
  }

  // Where nothing may be kept, and a look may throw, the id lives as long as the page.
  function kept() {
    try {
      var found = document.cookie.match('(?:^|; )' + NAME + '=([\\w-]{8,64})');
      return found ? found[1] : (localStorage.getItem(NAME) || '').replace(/[^\w-]/g, '').slice(0, 64);
    } catch (e) { return ''; }
  }

  function keep(id) {
    var safe = location.protocol === 'https:' ? '; Secure' : '';
    try {
      document.cookie = NAME + '=' + id + '; Max-Age=' + YEAR_S + '; Path=/; SameSite=Lax' + safe;
      localStorage.setItem(NAME, id);
    } catch (e) {}
    return id;
  }

  var visitor = keep(kept() || uuid());

  // text/plain needs no preflight, keepalive outlives the page, ids make repetitions harmless.
  function send(path, body, tries) {
    var url = edge + path + '?key=' + encodeURIComponent(key), text = JSON.stringify(body);
    function again() {
      if (tries > 1) setTimeout(function () { send(path, body, tries - 1); }, 2000 * (TRIES + 1 - tries));
    }
    if (window.fetch) {
      fetch(url, {method: 'POST', body: text, keepalive: text.length < 60000, credentials: 'omit'}).then(function (answer) {
        if (answer.status === 429 || answer.status >= 500) again();
      }, again);
    } else if (!navigator.sendBeacon || !navigator.sendBeacon(url, text)) {
      again();
    }
  }

  function parameter(name) {
    var found = location.search.match('[?&]' + name + '=([^&]*)');
    try { return found && found[1] ? decodeURIComponent(found[1]) : undefined; } catch (e) { return undefined; }
  }

  function now() { return Date.now() / 1000; }

  var commands = {
    // When the script comes, and by hand in a page that changes its address without loading.
    visit: function () {
      send('/v1/visits', {
        visit_id: uuid(), visitor_id: visitor, occurred_at: now(), url: location.href.slice(0, 2048),
        referer: document.referrer.slice(0, 2048), language: navigator.language,
        touchline_id: parameter('touchline_id'), mt_link_id: parameter('mt_link_id')
      }, TRIES);
    },
    event: function (name, given) {
      var body = {event_id: uuid(), name: name, occurred_at: now(), ids: {visitor_id: visitor}, params: {}};
      for (var field in given || {}) {
        if (field === 'event_id' || field === 'user_id') body[field] = String(given[field]);
        else if (field === 'revenue') body.revenue = {amount: String(given.revenue.amount), currency: given.revenue.currency};
        else body.params[field] = given[field];
      }
      send('/v1/events', body, TRIES);
    }
  };

  function touchline(command) {
    if (commands[command]) commands[command].apply(null, [].slice.call(arguments, 1));
  }

  var waiting = (window.touchline && window.touchline.q) || [];
  window.touchline = touchline;
  commands.visit();
  for (var i = 0; i < waiting.length; i++) touchline.apply(null, waiting[i]);
})(window, document);
