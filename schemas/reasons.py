"""Why a candidate won or lost: one code and one sentence each, for people who pay by them."""

WON = "won"
LOST = "lost"

SENTENCES: dict[str, str] = {
    "latest_of_method": "It is the latest touch that stands, by the most certain method that found one.",
    "earlier_than_winner": "A later touch of the same method won.",
    "less_certain_method": "A more certain method found a touch.",
    "outside_window": "It happened too long before the install for this method.",
    "after_install": "It happened after the install.",
    "delivered_late": "It was delivered more than 12 hours after it happened.",
    "other_value": "The stored value is another one: only its hash is the same.",
    "other_app": "It belongs to another app.",
    "other_network": "The address of the install lies outside the network of the touch.",
    "other_os_version": "The operating system's version is another one.",
    "other_model": "The device's model is another one.",
    "preinstalled": "The app was on the device before: its pre-install link wins over clicks and views.",
    "method_off": "This method does not count touches of this kind.",
}
