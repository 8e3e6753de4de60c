"""`touchline skan sign`, `touchline skan web-ad`: ads signed with a network's key."""

from typing import Annotated, Any, Literal

import msgspec
import typer

from console.manage.skan_signing import AdToSign, SignedAd, sign_ad
from console.manage.skan_web_ads import NewWebAd, WebAd, issue_web_ad
from console.skan.commands import skan
from process.terminal import Command, Json, facts_lines, page, print_json, settings, with_postgres
from schemas.skan.signed import SEPARATOR

Said = str | None
Network = Annotated[Said, typer.Option(metavar="ID", help="May be left out where one network has a key.")]


@skan.command("sign", cls=Command)
def sign(
    framework: Annotated[Literal["skadnetwork", "adattributionkit"], typer.Option()] = "skadnetwork",
    version: Annotated[Said, typer.Option(help="Of SKAdNetwork: 1.0, 2.0, 2.1, 2.2, 3.0 or 4.0.")] = None,
    ad_network_id: Network = None,
    campaign_id: Annotated[Said, typer.Option(help="1 to 100; up to 3.0.")] = None,
    source_identifier: Annotated[Said, typer.Option(help="Up to four digits; from 4.0 on.")] = None,
    itunes_item_id: Annotated[Said, typer.Option(help="The advertised app's number in the App Store.")] = None,
    nonce: Annotated[Said, typer.Option(help="A UUID; made when it is left out.")] = None,
    source_app_id: Annotated[
        Said, typer.Option(help="Of the app that shows the ad, 0 of one not in the store.")
    ] = None,
    source_domain: Annotated[Said, typer.Option(help="Of the website that shows the ad: 4.0.")] = None,
    fidelity_type: Annotated[Said, typer.Option(help="1 rendered by StoreKit, 0 view-through; from 2.2 on.")] = None,
    timestamp: Annotated[Said, typer.Option(help="Unix milliseconds, or seconds; now when it is left out.")] = None,
    impression_identifier: Annotated[Said, typer.Option(help="Of AdAttributionKit: a UUID; made.")] = None,
    publisher_item_identifier: Annotated[Said, typer.Option(help="Of AdAttributionKit: the app that shows it.")] = None,
    advertised_item_identifier: Annotated[Said, typer.Option(help="Of AdAttributionKit: the advertised app.")] = None,
    eligible_for_re_engagement: Annotated[bool | None, typer.Option(help="Of AdAttributionKit.")] = None,
    key: Annotated[
        Said, typer.Option(metavar="FILE", help="Sign with this key (PEM, or the base64 of PKCS #8) instead.")
    ] = None,
    json: Json = False,
) -> None:
    """Sign an ad of SKAdNetwork, or an impression of AdAttributionKit. Needs no Postgres.

    In what people read, | stands for the invisible separator; --json prints it as it was signed.

    touchline skan sign --version 4.0 --source-identifier 5239 --itunes-item-id 525463029 --source-app-id 880047117
    --fidelity-type 1
    """
    asked = AdToSign(
        framework=framework,
        version=version,
        ad_network_id=ad_network_id,
        campaign_id=campaign_id,
        source_identifier=source_identifier,
        itunes_item_id=itunes_item_id,
        nonce=nonce,
        source_app_id=source_app_id,
        source_domain=source_domain,
        fidelity_type=fidelity_type,
        timestamp=timestamp,
        impression_identifier=impression_identifier,
        publisher_item_identifier=publisher_item_identifier,
        advertised_item_identifier=advertised_item_identifier,
        eligible_for_re_engagement=eligible_for_re_engagement,
    )
    _print(sign_ad(settings(), asked, key=key), json=json)


@skan.command("web-ad", cls=Command)
def web_ad(
    source_identifier: Annotated[str, typer.Option(metavar="NUMBER", help="Up to four digits.")],
    itunes_item_id: Annotated[
        str, typer.Option(metavar="NUMBER", help="The advertised app's number in the App Store.")
    ],
    ad_network_id: Network = None,
    source_domain: Annotated[Said, typer.Option(help="Of the only website for which it is signed.")] = None,
    json: Json = False,
) -> None:
    """A nonce for an ad on a website, which the edge answers with the signed ad for 30 days.

    touchline skan web-ad --source-identifier 5239 --itunes-item-id 525463029 --source-domain news.example
    """
    asked = NewWebAd(
        ad_network_id=ad_network_id,
        source_identifier=source_identifier,
        itunes_item_id=itunes_item_id,
        source_domain=source_domain,
    )
    _print(with_postgres(lambda connection: issue_web_ad(connection, settings(), asked)), json=json)


def _print(made: SignedAd | WebAd, *, json: bool) -> None:
    facts: dict[str, Any] = msgspec.to_builtins(made)
    if json:
        print_json(facts)
        return
    facts.update((f"payload {name}", value) for name, value in facts.pop("payload", {}).items())
    remarks = facts.pop("remarks", ())
    lines = [
        (name, value.replace(SEPARATOR, "|") if isinstance(value, str) else value) for name, value in facts.items()
    ]
    page().print(facts_lines(lines))
    for remark in remarks:
        page().print(f"\n{remark}")
