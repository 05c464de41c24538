"""Reading from the client's FHIR server what its request did not bring.

access    what the client offers: server, token, scopes
guard     whether an address may be asked: the site's list, https, public addresses, the same server
pages     a searchset taken as one page: its resources, its next link, its total
plan      what is missing and may be asked for
client    one GET: pinned to the guard's addresses, to a deadline and to a number of bytes
reader    the reads of one call side by side, merged into its Reading

The token lives in `Access` and in the header of a request, nowhere else. Log lines name error types and counts.
"""
