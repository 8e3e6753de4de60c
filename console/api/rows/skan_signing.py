"""Rows of signed ads."""

from console.api.route import LIMITED, Call, Route
from console.manage.skan_signing import AdToSign, SignedAd, sign_ad
from console.manage.skan_web_ads import NewWebAd, WebAd, issue_web_ad


async def _sign(call: Call) -> SignedAd:
    return sign_ad(call.settings, call.body)


SKAN_SIGNING: tuple[Route, ...] = (
    Route(name="sign_skan_ad", method="POST", path="/skan/sign", role="manage", body=AdToSign, answer=SignedAd,
          does="Signs an ad of SKAdNetwork, or an impression of AdAttributionKit; stores nothing.", refuses=LIMITED,
          call=_sign),
    Route(name="issue_skan_web_ad", method="POST", path="/skan/web-ad", role="manage", body=NewWebAd, answer=WebAd,
          status=201, does="A nonce for an ad on a website: the edge signs the ad when a device asks by it.",
          refuses=LIMITED,
          call=lambda c: issue_web_ad(c.connection, c.settings, c.body)),
)  # fmt: skip
