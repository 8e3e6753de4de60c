"""One running product for the tests of the documents."""

from collections.abc import Iterator

import pytest

from tests.support.postgres import new_database, with_database
from tests.support.product import Product
from tests.support.signing import NETWORK, base64_of


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory, postgres_url: str, database_template: str) -> Iterator[Product]:
    """`touchline up --demo`, shared: tests here add rows and never stop it."""
    with new_database(postgres_url, database_template) as name:
        running = Product(
            tmp_path_factory.mktemp("documents"),
            TOUCHLINE_DATABASE_URL=with_database(postgres_url, name),
            TOUCHLINE_SKAN_NETWORKS=f"{NETWORK}={base64_of()}",
        )
        try:
            running.start()
            yield running
        finally:
            running.stop()
