"""Why a candidate won or lost: one code and one sentence each, for people who pay by them."""

WON = "won"
LOST = "lost"

SENTENCES: dict[str, str] = {
    "latest_of_method": "It is the latest touch that stands, by the most certain method that found one.",
    "earlier_than_winner": "A later touch of the same method won.",
    "less_certain_method": "A more certain method found a touch.",
    "outside_window": "It happened too long before the install for this method.",
    "after_install": "It happened after the install.",
    "before_activity": "The user was active after it: it cannot have brought them back.",
    "last_visit": "It is the last tagged visit before the event, or the one with which its session began.",
    "delivered_late": "It was delivered more than 12 hours after it happened.",
    "other_value": "The stored value is another one: only its hash is the same.",
    "too_soon": "It came too soon before the install, and may be a neighbour's: little tells the devices apart.",
    "other_app": "It belongs to another app.",
    "other_network": "The address of the install lies outside the network of the touch.",
    "other_os_version": "The operating system's version is another one.",
    "other_identifier": "Both name the device, and it is not the same one.",
    "other_model": "The device's model is another one.",
    "preinstalled": "The app was on the device before: its pre-install link wins over clicks and views.",
    "reinstalled": "The device had the app before: its first attribution stands.",
    "same_link": "Its link had brought the device before, however long ago: that is no new install.",
    "unsure": "The fingerprint is not sure enough: too many devices share the address, or too little agrees.",
    "duplicate": "Its click id was counted before on the same link: a second copy is not counted.",
    "repeat": "The same address and agent had touched the same link seconds before.",
    "bot": "Its user agent is a known bot or a program, not a person's device.",
    "no_agent": "It came without a user agent.",
    "data_centre": "Its address belongs to a data centre.",
    "non_public": "Its address is not a public one.",
    "prefetch": "A browser fetched the link ahead: nobody had clicked.",
    "flooding": "Its link floods: many clicks on that day, next to no installs.",
    "delays": "Its link's installs come with delays that no audience has.",
    "injection": "It came when the install had already begun, or seconds before the first start.",
    "other_os": "The touch came from another operating system than the install.",
    "method_off": "This method does not count touches of this kind.",
}
