"""The words of drug labels beside names and numbers: dose forms, release, salts. Anything else is not understood."""

from __future__ import annotations

# Word -> what the RxNorm dose form must contain, one of them.
FORMS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("tab", "tabs", "tablet", "tablets", "caplet", "caplets"), ("Tablet",)),
    **dict.fromkeys(("cap", "caps", "capsule", "capsules"), ("Capsule",)),
    **dict.fromkeys(("odt", "disintegrating"), ("Disintegrating",)),
    **dict.fromkeys(("chewable", "chew"), ("Chewable",)),
    **dict.fromkeys(("solution", "soln", "liquid", "syrup", "elixir", "concentrate", "concentrated"), ("Solution",)),
    **dict.fromkeys(("suspension", "susp"), ("Suspension",)),
    **dict.fromkeys(("patch", "patches", "transdermal"), ("Transdermal", "Patch")),
    **dict.fromkeys(("film", "films"), ("Film",)),
    **dict.fromkeys(("lozenge", "lozenges"), ("Lozenge",)),
    **dict.fromkeys(("gum",), ("Gum",)),
    **dict.fromkeys(("suppository", "suppositories", "supp"), ("Suppository",)),
    **dict.fromkeys(("spray",), ("Spray",)),
    **dict.fromkeys(("inhaler", "inhalant", "inhalation"), ("Inhal",)),
    **dict.fromkeys(
        (
            "injection",
            "injectable",
            "inj",
            "vial",
            "syringe",
            "prefilled",
            "auto-injector",
            "autoinjector",
            "cartridge",
        ),
        ("Inject", "Syringe", "Cartridge"),
    ),
    **dict.fromkeys(("gel",), ("Gel",)),
    **dict.fromkeys(("cream",), ("Cream",)),
    **dict.fromkeys(("ointment",), ("Ointment",)),
    **dict.fromkeys(("lotion",), ("Lotion",)),
    **dict.fromkeys(("topical",), ("Topical",)),
    **dict.fromkeys(("ophthalmic",), ("Ophthalmic",)),
    **dict.fromkeys(("otic",), ("Otic",)),
    **dict.fromkeys(("nasal",), ("Nasal",)),
    **dict.fromkeys(("rectal",), ("Rectal",)),
    **dict.fromkeys(("vaginal",), ("Vaginal",)),
    **dict.fromkeys(("buccal",), ("Buccal",)),
    **dict.fromkeys(("sublingual", "sl"), ("Sublingual",)),
    **dict.fromkeys(("mucosal",), ("Mucosal",)),
    **dict.fromkeys(("implant",), ("Implant",)),
    **dict.fromkeys(("intrauterine",), ("Intrauterine",)),
    **dict.fromkeys(("ring",), ("Ring",)),
    **dict.fromkeys(("delayed", "dr", "ec", "enteric"), ("Delayed Release",)),
}
# The route that a form word proves, the first that is there.
ROUTES: tuple[tuple[str, frozenset[str]], ...] = (
    ("ophthalmic", frozenset({"ophthalmic"})),
    ("otic", frozenset({"otic"})),
    ("vaginal", frozenset({"vaginal"})),
    ("rectal", frozenset({"rectal", "suppository", "suppositories", "supp"})),
    ("nasal", frozenset({"nasal"})),
    ("intrauterine", frozenset({"intrauterine"})),
    ("implant", frozenset({"implant"})),
    ("transdermal", frozenset({"transdermal", "patch", "patches"})),
    ("topical", frozenset({"topical", "cream", "ointment", "lotion"})),
    ("inhalation", frozenset({"inhaler", "inhalant", "inhalation"})),
    ("sublingual", frozenset({"sublingual", "sl"})),
    ("buccal", frozenset({"buccal"})),
    (
        "injection",
        frozenset({"injection", "injectable", "inj", "vial", "syringe", "prefilled", "cartridge", "autoinjector"}),
    ),
    (
        "oral",
        frozenset({"oral", "po", "tab", "tabs", "tablet", "tablets", "caplet", "cap", "caps", "capsule", "capsules"}),
    ),
)
EXTENDED = frozenset({"er", "xr", "xl", "sr", "cr", "la", "cd", "extended", "sustained", "controlled"})
IMMEDIATE = frozenset({"ir", "immediate"})
# Hours that an ending stands for, where the drug has products of several.
HOURS = {"xl": "24 HR", "sr": "12 HR"}
PACKS = frozenset({"pack", "kit", "ring"})
# Salts that do not change whose milligrams are meant (depot and lithium salts are names), and words that say nothing.
SILENT = frozenset(
    {
        "hcl", "hydrochloride", "hydrocholoride", "hbr", "hydrobromide", "sulfate", "sulphate", "sodium", "potassium",
        "calcium", "magnesium", "maleate", "malate", "mesylate", "tartrate", "bitartrate", "succinate", "besylate",
        "fumarate", "phosphate", "acetate", "oxalate", "nitrate", "tromethamine", "monohydrate", "dihydrate",
        "anhydrous",
        "hemifumarate", "citrate", "usp", "oral", "po", "release", "system", "delivery", "metered", "dose", "dry",
        "powder",
        "drug", "single", "use", "orally", "coated", "porcine", "modified", "day", "hr", "actuat", "per",
    }
)  # fmt: skip
