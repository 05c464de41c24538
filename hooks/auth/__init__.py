"""Who may call the service: JWT per client, its keys, replay, and the refusal to start without them.

The way of a token, each step in a module of its own:
`middleware` (which addresses need one) → `token` (its form) → `checks` (its claims) → `keys` (`fetch` reads them)
→ `verify` (its signature) → `replay` (its jti). `authenticator` walks that way for the service, `explain` for an
administrator; both use the same steps.
"""
