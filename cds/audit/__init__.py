"""Audits of whole exports: every patient evaluated, out of core, resumable, by the rules of the service."""
