"""Review with Label Studio: a server of the project's own, or any address and token."""
