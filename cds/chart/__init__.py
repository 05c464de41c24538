"""One patient's chart in the house's own records: resolved drugs, whole days, one status word each."""
