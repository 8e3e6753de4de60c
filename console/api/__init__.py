"""The management API: routes as data, over the functions of `console.manage`."""
