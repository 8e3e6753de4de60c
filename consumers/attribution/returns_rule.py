"""When an event is the return of a user who was away, and what a decision then looks at. Pure.

An event counts as the return when nothing else is on record of its install for longer than the app's days: no event, no
first start, no other install of the device. Of a user who is back, later events are no returns: at most one conversion
a return, whatever the order in which the events arrive.
"""

from consumers.attribution.facts import Conversion, is_touch_id
from schemas.addresses import parse_address
from schemas.devices import normal_os
from schemas.events import Device
from schemas.identifiers import DeviceId
from schemas.partitions import DAY_US
from schemas.rules import Named, RuleSet


def has_returned(at_us: int, active_us: int, rules: RuleSet) -> bool:
    """Whether an event brings somebody back who was last active then; never when the app looks for none."""
    return 0 < rules.reengagement_days * DAY_US < at_us - active_us


def of_clicks(rules: Named) -> Named:
    """By which a return is decided, under the same name: no view brings anybody back (AppMetrica)."""
    return Named(rules.name, rules.rules.of_clicks)


def conversion_of_return(
    *,
    event_id: str,
    app: str,
    received_us: int,
    at_us: int,
    active_us: int,
    ids: list[DeviceId],
    touch_id: str | None,
    device: Device,
    ip: str | None,
    test: bool,
) -> Conversion:
    """The facts of a return. Its device is that of the install, whose system may have been updated since: no version.

    `touch_id` is what the event says as `touchline_id`, as an app that a link opened can read it there.
    """
    return Conversion(
        id=event_id,
        app=app,
        received_us=received_us,
        at_us=at_us,
        ids=ids,
        touch_ids=frozenset([touch_id.lower()] if touch_id and is_touch_id(touch_id) else []),
        click_ids=frozenset(),
        os=normal_os(device.os),
        os_version="",
        model=device.model,
        language=device.locale.replace("_", "-").lower(),
        network=parse_address(ip) if ip else None,
        maker=device.manufacturer,
        kind="re-engagement",
        active_us=active_us,
        test=test,
    )
