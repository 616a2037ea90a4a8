"""The domain database: repositories for sites, seasons, acquisitions, products and jobs. SQL lives here."""
