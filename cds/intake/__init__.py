"""Files of charts to hook calls: what a line of an export is, whose it is, and the call that a whole chart makes."""
