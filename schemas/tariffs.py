"""The ways in which a campaign is paid for, as management writes them and pricing reads them."""

from typing import Literal

Model = Literal["cpi", "cpa", "cpc", "cpm", "share", "other"]
"""Per install, per action, per click, per thousand impressions, a share of revenue, and what costs nothing here."""

INSTALL = "install"
REINSTALL = "re-install"
REENGAGEMENT = "re-engagement"
FIRST_PAYMENT = "first payment"
MILESTONES = (INSTALL, REINSTALL, REENGAGEMENT, FIRST_PAYMENT)
"""What a CPA tariff may pay for besides events by their names: an app's own event of such a name is not meant."""

PARTNERS_WORD = 0
"""Instead of a tariff's id: what a partner says that an install costs."""

MICROS_TO_NANOS = 1000
