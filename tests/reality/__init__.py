"""The middleware between real pages, real proxies and real caches."""
