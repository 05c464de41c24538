"""The words of directions ("sigs"). What is not here is not understood, and then the dose is unknown."""

from __future__ import annotations

from decimal import Decimal

NUMBERS: dict[str, str] = {
    "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9",
    "ten": "10", "twelve": "12", "half": "0.5",
}  # fmt: skip
# Said of every dose, so it says nothing: how it is taken, and the small words between.
SILENT = frozenset(
    {
        "take", "takes", "taking", "give", "given", "administer", "swallow", "chew", "dissolve", "apply", "place",
        "inhale",
        "inject", "the", "of", "a", "an", "please", "on", "to", "total", "whole", "dose", "each", "time", "clean",
        "dry",
    }
)  # fmt: skip
# Two and more words that say nothing about how much or how often.
PHRASES: tuple[str, ...] = (
    "with or without food", "with a full glass of water", "with a glass of water", "with plenty of water", "with water",
    "with food or milk", "with food", "with milk", "with a meal", "with a snack", "on an empty stomach", "without food",
    "do not crush or chew", "do not crush", "do not chew", "swallow whole",
)  # fmt: skip
ROUTES: tuple[str, ...] = (
    "by mouth", "via mouth", "per os", "po", "orally", "oral", "under the tongue", "under tongue", "sublingually",
    "sublingual", "sl", "intramuscularly", "intramuscular", "im", "subcutaneously", "subcut", "transdermally",
    "transdermal",
    "topically", "onto the skin", "on the skin", "to the skin", "to skin", "onto skin", "on skin", "rectally",
    "per rectum",
    "intranasally", "by nose", "by inhalation", "buccally",
)  # fmt: skip
UNITS: dict[str, tuple[Decimal, str]] = {
    **dict.fromkeys(("mg", "mgs", "milligram", "milligrams"), (Decimal(1), "mg")),
    **dict.fromkeys(("mcg", "ug", "µg", "microgram", "micrograms"), (Decimal("0.001"), "mg")),
    **dict.fromkeys(("g", "gm", "gram", "grams"), (Decimal(1000), "mg")),
    **dict.fromkeys(("ml", "mls", "milliliter", "milliliters", "millilitre", "millilitres"), (Decimal(1), "mL")),
    **dict.fromkeys(
        (
            "tablet", "tablets", "tab", "tabs", "tablet(s)", "tab(s)", "capsule", "capsules", "cap", "caps",
            "capsule(s)",
            "cap(s)", "caplet", "caplets", "pill", "pills", "film", "films", "patch", "patches", "puff", "puffs",
            "spray",
            "sprays", "lozenge", "lozenges", "suppository", "suppositories",
        ),
        (Decimal(1), "unit"),
    ),
}  # fmt: skip
# Times of day: one administration each; several of them add up.
TIMES: dict[str, str] = {
    "in the morning": "morning", "in morning": "morning", "every morning": "morning", "each morning": "morning",
    "qam": "morning", "q am": "morning", "with breakfast": "morning", "at breakfast": "morning", "in the am": "morning",
    "in am": "morning", "every am": "morning", "am": "morning",
    "at noon": "noon", "with lunch": "noon", "at lunch": "noon", "in the afternoon": "afternoon",
    "every afternoon": "afternoon",
    "in the evening": "evening", "every evening": "evening", "each evening": "evening", "qpm": "evening",
    "q pm": "evening",
    "in the pm": "evening", "in pm": "evening", "with dinner": "evening", "with supper": "evening", "pm": "evening",
    "with evening meal": "evening", "with the evening meal": "evening",
    "at bedtime": "bedtime", "before bedtime": "bedtime", "before bed": "bedtime", "every bedtime": "bedtime",
    "nightly": "bedtime", "every night": "bedtime", "each night": "bedtime", "at night": "bedtime", "qhs": "bedtime",
    "q hs": "bedtime", "hs": "bedtime", "at hs": "bedtime", "every night at bedtime": "bedtime",
    "nightly at bedtime": "bedtime", "bedtime": "bedtime",
}  # fmt: skip
# (low, high) times a day.
RATES: dict[str, Decimal] = {
    **dict.fromkeys(
        ("daily", "every day", "each day", "qd", "q day", "once daily", "once a day", "once per day", "once every day",
         "per day", "a day", "q 24 h"),
        Decimal(1),
    ),
    **dict.fromkeys(("bid", "twice daily", "twice a day", "twice per day", "two times daily"), Decimal(2)),
    **dict.fromkeys(("tid", "three times daily", "thrice daily"), Decimal(3)),
    **dict.fromkeys(("qid",), Decimal(4)),
    **dict.fromkeys(("every other day", "qod", "q other day", "every second day", "on alternate days"), Decimal("0.5")),
    **dict.fromkeys(("weekly", "once weekly", "once a week", "every week", "once per week"), Decimal(1) / Decimal(7)),
    **dict.fromkeys(("twice weekly", "twice a week", "twice per week"), Decimal(2) / Decimal(7)),
}  # fmt: skip
# Reasons that directions give; another reason is not understood, for it could be anything.
REASONS: tuple[str, ...] = (
    "anxiety or panic", "panic attacks", "panic attack", "severe anxiety", "anxiety or agitation", "anxiety",
    "agitation",
    "panic", "insomnia", "sleep", "difficulty sleeping", "trouble sleeping", "pain", "moderate pain", "severe pain",
    "mild pain", "headache", "headaches", "nausea", "nausea or vomiting", "muscle spasms", "muscle spasm", "spasms",
    "itching", "allergies", "depression", "mood", "adhd", "focus", "nightmares", "seizures", "psychosis", "cough",
    "restlessness", "tremor", "bipolar disorder", "withdrawal", "cravings", "blood pressure", "breakthrough pain",
)  # fmt: skip
