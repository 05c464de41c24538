"""A tiny invented RxNorm release for tests, and a way to write others. Codes from 9900000 are nobody's."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from cds.drugs.release import SiteDrugTable, site_drug_table
from cds.drugs.release_load import Conditions, Loaded, load_release

ZZPRAMINE, ZZPRAMINE_HCL, ZZPRAM, TABLET_25, ZZPRAM_25, PACK, BRAND_PACK = range(9900001, 9900008)
QQSPRIN, BOTH, ORAL_TABLET, OBSOLETE, RETIRED, RETIRED_TWICE, SPLIT, LOST = range(9900010, 9900018)
COMPONENT_25, COMPONENT_50, QQ_COMPONENT, ZZ_PER_ML, SOLUTION = range(9900020, 9900025)
FAMILY_BRAND, FAMILY_ZZ, FAMILY_QQ, INJECTION, DEPOT, ER_TABLET, ER_FORM, MIXED, AGOMELATINE, FORM_ONLY = range(
    9900030, 9900040
)
SERTRALINE, SERTRALINE_50 = 36437, 312941


@dataclass
class Release:
    """Lines of the four files, in the order in which they were added."""

    conso: list[str] = field(default_factory=list)
    rel: list[str] = field(default_factory=list)
    sat: list[str] = field(default_factory=list)
    cui: list[str] = field(default_factory=list)

    def concept(self, rxcui: int, tty: str, name: str, suppress: str = "N") -> None:
        row = len(self.conso) + 1
        self.conso.append(f"{rxcui}|ENG||||||{row}|{row}|{rxcui}||RXNORM|{tty}|{rxcui}|{name}||{suppress}|4096|")

    def relate(self, subject: int, rela: str, *objects: int) -> None:
        """subject rela object: RXCUI2 is the subject, RXCUI1 the object."""
        self.rel += [f"{o}||CUI|RO|{subject}||CUI|{rela}|||RXNORM||||N|4096|" for o in objects]

    def attribute(self, rxcui: int, name: str, value: str, suppress: str = "N") -> None:
        self.sat.append(f"{rxcui}|||||{rxcui}|||{name}|RXNORM|{value}|{suppress}|4096|")

    def retire(self, old: int, new: int, cardinality: int = 1) -> None:
        self.cui.append(f"{old}|01AA_010101F|20AA_201207F|{cardinality}|{new}|")

    def write(self, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for name, lines in (("CONSO", self.conso), ("REL", self.rel), ("SAT", self.sat), ("CUI", self.cui)):
            (folder / f"RXN{name}.RRF").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return folder


def tiny() -> Release:
    """Every kind of concept, strength, brand, pack and retirement once."""
    r = Release()
    for code, tty, name in (
        (ZZPRAMINE, "IN", "zzpramine"),
        (QQSPRIN, "IN", "Qqsprin"),
        (SERTRALINE, "IN", "sertraline"),
        (AGOMELATINE, "IN", "agomelatine"),
        (ZZPRAMINE_HCL, "PIN", "zzpramine hydrochloride"),
        (ZZPRAM, "BN", "Zzpram"),
        (FAMILY_BRAND, "BN", "Zzfamily"),
        (ORAL_TABLET, "DF", "Oral Tablet"),
        (ER_FORM, "DF", "Extended Release Oral Tablet"),
        (INJECTION, "DF", "Injection"),
        (COMPONENT_25, "SCDC", "zzpramine hydrochloride 25 MG"),
        (COMPONENT_50, "SCDC", "zzpramine hydrochloride 50 MG"),
        (QQ_COMPONENT, "SCDC", "Qqsprin 2.5 MG"),
        (ZZ_PER_ML, "SCDC", "zzpramine 10 MG/ML"),
        (TABLET_25, "SCD", "zzpramine hydrochloride 25 MG Oral Tablet"),
        (BOTH, "SCD", "Qqsprin 2.5 MG / zzpramine hydrochloride 50 MG Oral Tablet"),
        (ER_TABLET, "SCD", "Smoking Cessation 12 HR zzpramine hydrochloride 50 MG Extended Release Oral Tablet"),
        (SOLUTION, "SCD", "1.5 ML zzpramine 10 MG/ML Injection"),
        (FORM_ONLY, "SCDF", "zzpramine Oral Tablet"),
        (ZZPRAM_25, "SBD", "zzpramine hydrochloride 25 MG Oral Tablet [Zzpram]"),
        (FAMILY_ZZ, "SBD", "zzpramine hydrochloride 25 MG Oral Tablet [Zzfamily]"),
        (FAMILY_QQ, "SBD", "Qqsprin 2.5 MG / zzpramine hydrochloride 50 MG Oral Tablet [Zzfamily]"),
        (PACK, "GPCK", "{7 (zzpramine hydrochloride 25 MG Oral Tablet) / 7 (Qqsprin 2.5 MG / zzpramine ...) } Pack"),
        (BRAND_PACK, "BPCK", "{7 (zzpramine hydrochloride 25 MG Oral Tablet [Zzpram]) } Pack [Zzpram Starter]"),
    ):
        r.concept(code, tty, name)
    r.concept(TABLET_25, "PSN", "zzpramine HCl 25 MG Oral Tablet")
    r.concept(OBSOLETE, "SCD", "zzpramine 10 MG / qqsprin 5 MG Oral Capsule", "O")
    r.concept(RETIRED, "SCD", "zzpramine 25 MG Oral Tablet", "O")
    r.relate(ZZPRAMINE_HCL, "form_of", ZZPRAMINE)
    for component in (COMPONENT_25, COMPONENT_50, ZZ_PER_ML):
        r.relate(component, "has_ingredient", ZZPRAMINE)
    r.relate(COMPONENT_25, "has_precise_ingredient", ZZPRAMINE_HCL)
    r.relate(QQ_COMPONENT, "has_ingredient", QQSPRIN)
    r.relate(FORM_ONLY, "has_ingredient", ZZPRAMINE)
    r.relate(TABLET_25, "consists_of", COMPONENT_25)
    r.relate(BOTH, "consists_of", COMPONENT_50, QQ_COMPONENT)
    r.relate(ER_TABLET, "consists_of", COMPONENT_50)
    r.relate(SOLUTION, "consists_of", ZZ_PER_ML)
    for product in (TABLET_25, BOTH, ZZPRAM_25, FORM_ONLY):
        r.relate(product, "has_dose_form", ORAL_TABLET)
    r.relate(ER_TABLET, "has_dose_form", ER_FORM)
    r.relate(SOLUTION, "has_dose_form", INJECTION)
    for branded, generic, brand in (
        (ZZPRAM_25, TABLET_25, ZZPRAM),
        (FAMILY_ZZ, TABLET_25, FAMILY_BRAND),
        (FAMILY_QQ, BOTH, FAMILY_BRAND),
    ):
        r.relate(branded, "tradename_of", generic)
        r.relate(branded, "has_ingredient", brand)
    r.relate(PACK, "contains", TABLET_25, BOTH)
    r.relate(BRAND_PACK, "contains", ZZPRAM_25)
    for code, ndc in ((TABLET_25, "00000000101"), (ZZPRAM_25, "00000000202"), (BRAND_PACK, "00000000303")):
        r.attribute(code, "NDC", ndc)
    r.attribute(BOTH, "NDC", "00000000404", "O")
    r.retire(RETIRED, TABLET_25)
    r.retire(RETIRED_TWICE, RETIRED)
    r.retire(SPLIT, TABLET_25, 2)
    r.retire(SPLIT, BOTH, 2)
    r.retire(LOST, LOST)
    return r


SAMPLE = Conditions(small=True)


def load(release: Release, folder: Path, *, conditions: Conditions = SAMPLE) -> Loaded:
    """Write and load a release; the table is `folder / rxnorm.sqlite`."""
    return load_release(release.write(folder / "rrf"), folder / "rxnorm.sqlite", conditions=conditions)


def table_of(release: Release, folder: Path) -> SiteDrugTable:
    """The drug table of a site that loaded this release."""
    return site_drug_table(load(release, folder).path)
