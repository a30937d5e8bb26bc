"""Why a finished run decided as it did: accounts that add up, and the page that shows them."""
