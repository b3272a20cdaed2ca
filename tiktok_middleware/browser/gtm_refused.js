// Before the script of a page whose visitor has refused, for TIKTOK_SNIPPET=gtm.
try {
  (window.dataLayer = window.dataLayer || []).push({event: 'tiktok.consent', tiktok_consent: 'denied'});
} catch (e) {}
