"""THE table of the API's routes: the router and the OpenAPI document are made of it.

A further thing is a further file of rows, named here.
"""

from console.api.route import Route
from console.api.rows.apps import APPS
from console.api.rows.campaigns import CAMPAIGNS
from console.api.rows.links import LINKS
from console.api.rows.money import CORRECTIONS, MONEY, RATES, TARIFFS
from console.api.rows.partners import PARTNERS
from console.api.rows.postbacks import POSTBACKS, TEMPLATES
from console.api.rows.skan_bids import SKAN_BIDS
from console.api.rows.skan_meaning import SKAN_MEANING
from console.api.rows.skan_postbacks import SKAN_POSTBACKS
from console.api.rows.skan_signing import SKAN_SIGNING
from console.api.rows.tokens import TOKENS

ROUTES: tuple[Route, ...] = (
    *APPS,
    *PARTNERS,
    *CAMPAIGNS,
    *LINKS,
    *TARIFFS,
    *CORRECTIONS,
    *RATES,
    *MONEY,
    *TEMPLATES,
    *POSTBACKS,
    *SKAN_BIDS,
    *SKAN_POSTBACKS,
    *SKAN_MEANING,
    *SKAN_SIGNING,
    *TOKENS,
)
