"""Raw counts of an audit, from its datasets. Nothing here is fit to be shown: `cds.audit.outputs.summary` sees to that.

Of a rule each question is in one state, the first that holds: found (any finding of it, whatever became of the card),
clear (in scope, nothing found), not evaluated, not applicable (nothing that the rule is about, or not asked here).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cds.audit.outputs.dataset import Run
from cds.audit.outputs.small_cells import NONE, Atoms, Count, Row

_KEY = 'patient, day, hook, "order"'
_STATES = f"""
CREATE OR REPLACE TEMP TABLE states AS
WITH found AS (
    SELECT {_KEY}, spec, min(CASE indicator WHEN 'critical' THEN 0 WHEN 'warning' THEN 1 ELSE 2 END) AS severity,
           max(since) AS since
    FROM findings GROUP BY ALL
), scope AS (
    SELECT DISTINCT {_KEY}, unnest(in_scope) AS spec FROM questions
), missed AS (
    SELECT {_KEY}, spec, string_agg(DISTINCT reason, ' + ' ORDER BY reason) AS reason FROM not_evaluated GROUP BY ALL
), judged AS (
    SELECT {_KEY}, spec, 'found' AS state, severity, since, NULL AS reason FROM found
    UNION ALL
    SELECT {_KEY}, spec, 'clear', NULL, NULL, NULL FROM scope ANTI JOIN found USING ({_KEY}, spec)
    UNION ALL
    SELECT {_KEY}, spec, 'not_evaluated', NULL, NULL, reason
    FROM missed ANTI JOIN found USING ({_KEY}, spec) ANTI JOIN scope USING ({_KEY}, spec)
)
SELECT judged.*, coalesce(nullif(asked.unit, ''), '') AS unit
FROM judged JOIN (SELECT DISTINCT ON ({_KEY}) {_KEY}, unit FROM questions ORDER BY {_KEY}, unit) AS asked
USING ({_KEY})
"""
SEVERITIES = ("critical", "warning", "info")


@dataclass(frozen=True, slots=True)
class RuleCounts:
    """Counts of one rule.

    in_scope: everybody in scope as one row; None for nobody. by_month, by_year: of a replay everybody in scope, else
    those found by the month it began.
    """

    atoms: Atoms
    in_scope: Row | None = None
    by_unit: tuple[Row, ...] = ()
    by_month: tuple[Row, ...] = ()
    by_year: tuple[Row, ...] = ()
    by_reason: Mapping[str, Count] = field(default_factory=dict)
    by_indicator: Mapping[str, Count] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class QualityCounts:
    """What the records were like. people of each Count: patients it was seen in; value: patients, or records.

    people: everybody in the data, in a replay those without an order too.
    """

    people: int
    resources: int
    bad: int
    ignored: int
    with_psychotropics: Count
    drugs: Mapping[str, Count]
    unidentified: Mapping[str, Count]
    missing_dates: Count
    problems: Mapping[tuple[str, str], int]


@dataclass(frozen=True, slots=True)
class Counts:
    """Everything that is counted. everybody: questions, and the patients they are about."""

    everybody: Count
    with_finding: Count
    rules: Mapping[str, RuleCounts]
    quality: QualityCounts


def count(run: Run) -> Counts:
    """Count an audit."""
    run.rows(_STATES)
    asked, people = run.rows(f"SELECT count(*), count(DISTINCT patient) FROM (SELECT DISTINCT {_KEY} FROM questions)")[
        0
    ]
    everybody = Count(asked, people)
    found = run.rows(
        f"SELECT count(*), count(DISTINCT patient) FROM (SELECT DISTINCT {_KEY} FROM states WHERE state = 'found')"
    )[0]
    rules = {str(rule["spec"]): RuleCounts(Atoms(NONE, NONE, NONE, everybody)) for rule in run.told["rules"]}
    return Counts(everybody, Count(*found), rules | _rules(run, everybody), _quality(run))


def _rules(run: Run, everybody: Count) -> dict[str, RuleCounts]:
    states: dict[str, dict[str, Count]] = defaultdict(dict)
    sql = "SELECT spec, {0}, count(*), count(DISTINCT patient) FROM states {1} GROUP BY ALL ORDER BY ALL"
    for spec, state, value, people in run.rows(sql.format("state", "")):
        states[spec][state] = Count(value, people)
    day = "day" if run.is_replay else "since"
    month, year = (f"coalesce(strftime({day}, '{grain}'), '')" for grain in ("%Y-%m", "%Y"))
    of_month = "WHERE state IN ('found', 'clear')" if run.is_replay else "WHERE state = 'found'"
    by_unit = _strata(run, "unit", "WHERE state IN ('found', 'clear')", name=run.unit_name)
    by_month, by_year = _strata(run, month, of_month), _strata(run, year, of_month)
    whole = _strata(run, "''", "WHERE state IN ('found', 'clear')")
    silent = _silent(run, everybody)
    by_reason = _parts(run, "reason", "not_evaluated")
    by_severity = _parts(run, "severity", "found")
    return {
        spec: RuleCounts(
            _atoms(counted, everybody, silent[spec]),
            next(iter(whole[spec]), None),
            tuple(by_unit[spec]),
            tuple(by_month[spec]),
            tuple(by_year[spec]),
            by_reason[spec],
            {SEVERITIES[int(n)]: c for n, c in by_severity[spec].items()},
        )
        for spec, counted in sorted(states.items())
    }


def _atoms(counted: Mapping[str, Count], everybody: Count, silent: int) -> Atoms:
    """silent: people with a question of which the rule says nothing."""
    found, clear, missed = (counted.get(state, NONE) for state in ("found", "clear", "not_evaluated"))
    value = everybody.value - found.value - clear.value - missed.value
    return Atoms(found, clear, missed, Count(value, silent))


def _silent(run: Run, everybody: Count) -> dict[str, int]:
    """By rule: people who have more questions than the rule has states for them."""
    sql = f"""
        SELECT spec, count(*) FILTER (judged < questions), count(*) FROM (
            SELECT spec, patient, count(*) AS judged FROM states GROUP BY ALL
        ) JOIN (SELECT patient, count(*) AS questions FROM (SELECT DISTINCT {_KEY} FROM questions) GROUP BY patient)
        USING (patient) GROUP BY spec
    """
    return {spec: some + everybody.people - judged for spec, some, judged in run.rows(sql)}


def _strata(run: Run, by: str, where: str, *, name: Callable[[str], str] = str) -> dict[str, list[Row]]:
    sql = f"""
        SELECT spec, {by} AS name,
               count(*) FILTER (state = 'found'), count(DISTINCT patient) FILTER (state = 'found'),
               count(*) FILTER (state = 'clear'), count(DISTINCT patient) FILTER (state = 'clear'),
               count(DISTINCT patient)
        FROM states {where} GROUP BY ALL ORDER BY ALL
    """
    rows: dict[str, list[Row]] = defaultdict(list)
    for spec, stratum, found, found_people, clear, clear_people, people in run.rows(sql):
        rows[spec].append(Row(name(stratum), Count(found, found_people), Count(clear, clear_people), people))
    return rows


def _parts(run: Run, by: str, state: str) -> dict[str, dict[str, Count]]:
    sql = f"""
        SELECT spec, {by}, count(*), count(DISTINCT patient) FROM states WHERE state = ? GROUP BY ALL ORDER BY ALL
    """
    parts: dict[str, dict[str, Count]] = defaultdict(dict)
    for spec, name, value, people in run.rows(sql, [state]):
        parts[spec][str(name)] = Count(value, people)
    return parts


_DRUG_STATES = ("identified", "unidentified", "not_listed", "conflict")


def _quality(run: Run) -> QualityCounts:
    """One row a patient: a replay repeats what it says of the patient with each order."""
    run.rows("""
        CREATE OR REPLACE TEMP TABLE people AS
        SELECT patient, max(resources) AS resources, max(bad) AS bad, max(ignored) AS ignored,
               bool_or(has_psychotropic) AS psychotropic, max(missing_dates) AS missing_dates,
               max(drugs_identified) AS identified, max(drugs_unidentified) AS unidentified,
               max(drugs_not_listed) AS not_listed, max(drugs_conflict) AS conflict
        FROM patients GROUP BY patient
    """)
    totals = run.rows("""
        SELECT coalesce(sum(resources), 0), coalesce(sum(bad), 0), coalesce(sum(ignored), 0),
               count(*) FILTER (psychotropic), count(*) FROM people
    """)[0]
    resources, bad, ignored, psychotropic, people = (int(n) for n in totals)

    def of(column: str) -> Count:
        sql = f"SELECT coalesce(sum({column}), 0), count(*) FILTER ({column} > 0) FROM people"
        return Count(*(int(n) for n in run.rows(sql)[0]))

    codes = run.rows("""
        SELECT code, count(DISTINCT patient) FROM (SELECT patient, unnest(unidentified) AS code FROM patients)
        GROUP BY code ORDER BY code
    """)
    problems = run.rows("SELECT kind, resource_type, count(*) FROM problems GROUP BY ALL ORDER BY ALL")
    return QualityCounts(
        people,
        resources,
        bad,
        ignored,
        Count(psychotropic, psychotropic),
        {state: of(state) for state in _DRUG_STATES},
        {code: Count(n, n) for code, n in codes},
        of("missing_dates"),
        {(kind, resource_type): n for kind, resource_type, n in problems},
    )
