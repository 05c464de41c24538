"""Small changes to a rule, each of which some case has to notice."""

from cds.authoring.mutation.hunt import Hunt, Hunted
from cds.authoring.mutation.mutants import Mutant, mutants_of

__all__ = ["Hunt", "Hunted", "Mutant", "mutants_of"]
