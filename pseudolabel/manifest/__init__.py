"""Raw root -> manifest: its files by name and content. Stage `manifest`; it starts at once."""
