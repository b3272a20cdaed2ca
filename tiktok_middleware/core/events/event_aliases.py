"""Other names of TikTok's events: retired and reserved names, and the names of GA4, Segment and Shopify.

Sources: TikTok's help pages "Reserved events" and "Supported events for offline event sets"; Google's "Recommended
events" for GA4, Segment's "Ecommerce Events V2" and "B2B SaaS" specifications, Shopify's "Standard events".
"""

from __future__ import annotations

from tiktok_middleware.core.events.event import PAGE_VIEW

__all__ = ["FADING", "FOREIGN_EVENTS", "NO_COUNTERPART", "RESERVED", "RETIRED"]

RETIRED = {"CompletePayment": "Purchase", "SubmitForm": "Lead"}
"""Names that TikTok replaced in May 2025, with the current name."""

FADING = {"PlaceAnOrder": "InitiateCheckout", "ClickButton": "ViewContent"}
"""Names that TikTok supports until 2027 on the web, offline and in CRM, with the nearest current name."""

RESERVED = {
    "AddBilling": "AddPaymentInfo",
    "Browse": PAGE_VIEW,
    "Checkout": "InitiateCheckout",
    "ClickForm": "Lead",
    "ClickInDownloadPage": "Download",
    "ClickToDownload": "Download",
    "Consult": "Contact",
    "ConsultByPhone": "Contact",
    "Registration": "CompleteRegistration",
    "StartCheckout": "InitiateCheckout",
    "ViewConsultationPage": "ViewContent",
    "ViewDownloadPage": "ViewContent",
    "ViewForm": "ViewContent",
}
"""Names that TikTok itself counts as a standard event, with that event (help page "reserved events", Sep 2025)."""

FOREIGN_EVENTS: dict[str, str] = {
    # GA4
    "page_view": PAGE_VIEW,
    "view_item": "ViewContent",
    "begin_checkout": "InitiateCheckout",
    "ecommerce_purchase": "Purchase",
    "view_search_results": "Search",
    "sign_up": "CompleteRegistration",
    "generate_lead": "Lead",
    "file_download": "Download",
    # Segment
    "Products Searched": "Search",
    "Product Viewed": "ViewContent",
    "Product Added": "AddToCart",
    "Wishlist Product Added to Cart": "AddToCart",
    "Product Added to Wishlist": "AddToWishlist",
    "Checkout Started": "InitiateCheckout",
    "Payment Info Entered": "AddPaymentInfo",
    "Order Completed": "Purchase",
    "Signed Up": "CompleteRegistration",
    "Trial Started": "StartTrial",
    # Shopify
    "page_viewed": PAGE_VIEW,
    "search_submitted": "Search",
    "product_added_to_cart": "AddToCart",
    "payment_info_submitted": "AddPaymentInfo",
    "checkout_completed": "Purchase",
}
"""Other tools' names of TikTok's events, if they differ in more than spelling, with TikTok's name."""

NO_COUNTERPART: tuple[str, ...] = (
    # GA4
    "add_shipping_info",
    "close_convert_lead",
    "close_unconvert_lead",
    "disqualify_lead",
    "qualify_lead",
    "refund",
    "remove_from_cart",
    "select_item",
    "select_promotion",
    "view_cart",
    "view_item_list",
    "view_promotion",
    "working_lead",
    # Segment
    "Account Created",
    "Cart Shared",
    "Cart Viewed",
    "Checkout Step Completed",
    "Checkout Step Viewed",
    "Coupon Applied",
    "Coupon Denied",
    "Coupon Entered",
    "Coupon Removed",
    "Order Cancelled",
    "Order Refunded",
    "Order Updated",
    "Product Clicked",
    "Product List Filtered",
    "Product List Viewed",
    "Product Removed",
    "Product Removed from Wishlist",
    "Product Reviewed",
    "Product Shared",
    "Promotion Clicked",
    "Promotion Viewed",
    # Shopify
    "cart_viewed",
    "checkout_address_info_submitted",
    "checkout_contact_info_submitted",
    "checkout_shipping_info_submitted",
    "collection_viewed",
    "product_removed_from_cart",
)
"""Names of other tools without an unambiguous standard event of TikTok. They are sent as custom events."""
