"""The shop's products; prices are stored in cents and shown in euros."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CURRENCY", "PRODUCTS", "Product", "find_product", "related_to", "search"]

CURRENCY = "EUR"


@dataclass(frozen=True)
class Product:
    """One piece of pottery.

    Attributes:
        slug: the product's name in URLs and file names.
        sku: id of the product, the same as in the product feed, so that TikTok can match events with products.
        price_cents: price of one piece, in euro cents.
        request: pairs of label and text for the details list.
    """

    slug: str
    sku: str
    name: str
    glaze: str
    price_cents: int
    teaser: str
    story: str
    request: tuple[tuple[str, str], ...]

    @property
    def price(self) -> float:
        """Return the price of one piece, in euros."""
        return self.price_cents / 100


PRODUCTS = (
    Product(
        "morning-mug",
        "TW-101",
        "Morning mug",
        "Tide",
        2400,
        "A straight, quiet mug for the first coffee.",
        "Thrown a little thicker than most, so it keeps the coffee warm and sits steady on an uneven garden table. "
        "The handle takes three fingers; the foot stays unglazed and shows the sand of the clay.",
        (("Holds", "320 ml"), ("Size", "9 cm high, 8.5 cm across"), ("Weight", "about 380 g")),
    ),
    Product(
        "breakfast-bowl",
        "TW-104",
        "Breakfast bowl",
        "Celadon",
        2800,
        "Wide enough for porridge and half a pear.",
        "A generous curve that a spoon can follow to the last oat. Celadon pools where the wall turns, so every bowl "
        "has its own darker ring.",
        (("Holds", "650 ml"), ("Size", "7 cm high, 16 cm across"), ("Weight", "about 520 g")),
    ),
    Product(
        "harbour-teapot",
        "TW-210",
        "Harbour teapot",
        "Ink",
        8900,
        "Four cups, one steady pour, no drips.",
        "The spout is cut by hand and tested with water before the glaze goes on: a pot that drips is wedged up and "
        "thrown again. Oak handle, oiled and made two streets away.",
        (("Holds", "1.1 litres"), ("Size", "24 cm high with handle"), ("Inside", "Steel strainer included")),
    ),
    Product(
        "dinner-plate",
        "TW-120",
        "Dinner plate",
        "Fog",
        3200,
        "A calm rim, and rings the wheel left behind.",
        "Flat in the middle, with a low rim that keeps the sauce where it belongs. The fine rings are the path of the "
        "potter's finger. They stack without a wobble.",
        (("Size", "27 cm across, 2.5 cm high"), ("Weight", "about 740 g"), ("Stacks", "Yes, up to twelve")),
    ),
    Product(
        "bud-vase",
        "TW-305",
        "Bud vase",
        "Ember",
        3400,
        "For the one branch you brought home.",
        "A full belly for a steady stand and a neck as narrow as a thumb. Ember is our iron glaze: it breaks from red "
        "to brown wherever the edge is sharp.",
        (("Size", "18 cm high, 12 cm across"), ("Neck", "2.5 cm"), ("Weight", "about 450 g")),
    ),
    Product(
        "espresso-pair",
        "TW-108",
        "Espresso pair",
        "Fog & Tide",
        2990,
        "Two small cups that like each other.",
        "No handles: the wall is double-dipped at the rim and stays cool to hold. Sold as a pair because nobody should "
        "drink espresso alone.",
        (("Holds", "90 ml each"), ("Size", "6 cm high, 6.5 cm across"), ("In the box", "One Fog, one Tide")),
    ),
    Product(
        "pour-over",
        "TW-140",
        "Pour-over cone",
        "Chalk",
        4600,
        "Slow coffee, three minutes at a time.",
        "Spiral ridges inside, one large hole below, and a collar that fits any carafe or mug up to eleven "
        "centimetres. Takes the usual size 2 papers.",
        (("Makes", "1 to 3 cups"), ("Size", "11 cm high, 12 cm across"), ("Carafe", "Not included")),
    ),
    Product(
        "pantry-jar",
        "TW-230",
        "Pantry jar",
        "Kelp",
        5400,
        "Keeps the good biscuits, and the secret of them.",
        "A lid of local oak with a cork ring, so it closes with a soft click. Unglazed under the lid, where clay and "
        "wood get along best.",
        (("Holds", "1.6 litres"), ("Size", "19 cm high with lid"), ("Lid", "Oiled oak, cork seal")),
    ),
)

_BY_SLUG = {product.slug: product for product in PRODUCTS}


def find_product(slug: str) -> Product | None:
    """Return the product with this slug, or None."""
    return _BY_SLUG.get(slug)


def related_to(product: Product) -> list[Product]:
    """Return four other products: those that follow in the catalogue."""
    start = PRODUCTS.index(product) + 1
    return [PRODUCTS[(start + step) % len(PRODUCTS)] for step in range(4)]


def search(words: str) -> list[Product]:
    """Return the products whose text contains every word."""
    wanted = words.casefold().split()
    return [
        product
        for product in PRODUCTS
        if all(word in f"{product.name} {product.glaze} {product.teaser} {product.story}".casefold() for word in wanted)
    ]
