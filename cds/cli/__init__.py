"""The `psychmed` command. Thin: every verb calls one function of the house. The only part of cds that may import hooks."""
