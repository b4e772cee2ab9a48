"""The first page: the client's questions, in the order in which clients ask them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from customerlab.findings import Finding
from customerlab.messages import Message, say


@dataclass(frozen=True)
class Question:
    """One of the questions that the report answers.

    Attributes
    ----------
    text : Message
    answers : tuple of str
        Ids of the findings that answer it, or beginnings of ids, in the order to show them.
    notebooks : tuple of str
        Where the answers come from.
    """

    text: Message
    answers: tuple[str, ...]
    notebooks: tuple[str, ...]


QUESTIONS = (
    Question(
        say("Which customers to value, and which to give up?"),
        (
            "invalid_customers.customers_left",
            "customer_value.most_valuable",
            "customer_value.low_value",
            "customer_value.left_out",
            "invalid_customers.consensus_cut",
            "invalid_customers.active",
        ),
        ("02_invalid_customers", "03_customer_value"),
    ),
    Question(
        say("Why do customers leave, and who is next?"),
        ("churn_timing.leave_within", "churn_timing.first_group", "churn_timing.main_sign"),
        ("04_churn_timing",),
    ),
    Question(
        say("What brings customers back, and what to mend first?"),
        (
            "repurchase_drivers.top_driver",
            "repurchase_drivers.predictive_skill",
            "repurchase_drivers.to_change",
        ),
        ("05_repurchase_drivers",),
    ),
    Question(
        say("Whom does a campaign truly move, and what to do next?"),
        (
            "uplift_tests.last_proposal",
            "uplift_tests.best_policy",
            "uplift_tests.on_average",
            "uplift_tests.observed",
        ),
        ("07_uplift_tests",),
    ),
    Question(
        say("Whom to approach ahead of their need, and with what?"),
        (
            "response_model.cutoff",
            "response_model.better_half",
            "response_model.profile",
            "customer_value.cross_sell_gap",
        ),
        ("06_response_model", "03_customer_value"),
    ),
)


#: What is to be done with each list of customers that a notebook leaves, by the finding that counts
#: it.
_LISTS: dict[str, Message] = {
    "invalid_customers.proposed_to_wake": say(
        "Contact the {count:customers} dormant customers on the list in data/, and leave "
        "its control group alone."
    ),
    "churn_timing.proposed_to_keep": say(
        "Approach the {count:customers} customers with most at stake on the list in data/, "
        "and leave its control group alone: only then will it show whether contact kept "
        "anyone."
    ),
    "uplift_tests.proposed_to_contact": say(
        "Contact the {count:customers} customers whom a test says it pays to contact, on "
        "the list in data/, and leave its control group alone."
    ),
    "customer_value.proposed_to_care": say(
        "Care for the {count:customers} most valuable and promising customers on the list "
        "in data/, and leave its control group alone."
    ),
    "response_model.proposed_to_contact": say(
        "Offer the {count:customers} customers on the list in data/ the product and the "
        "channel named there, and call nobody below the cut-off but those drawn by lot."
    ),
}


def answers_to(question: Question, findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return the findings that answer a question, in its order."""
    return tuple(
        finding
        for beginning in question.answers
        for finding in findings
        if finding.id.startswith(beginning)
    )


def unanswered(question: Question, lacking: Mapping[str, Message]) -> Message:
    """Say why a question has no answer.

    Parameters
    ----------
    question : Question
    lacking : mapping of notebook to message
        What each notebook that cannot run would need.
    """
    needs = [lacking[name] for name in question.notebooks if name in lacking]
    return (
        needs[0] if needs else say("Not answered here: its notebook failed, or was not asked for.")
    )


def propose(findings: Iterable[Finding]) -> tuple[Message, ...]:
    """Say what to do on Monday, from what was found.

    Only what is supported is turned into a proposal; what is weak is to be looked at first.
    """
    by_id = {finding.id: finding for finding in findings}
    proposals = []
    left = by_id.get("invalid_customers.customers_left")
    if left and isinstance(left.value, int) and isinstance(left.n, int) and left.value < left.n:
        proposals.append(
            say(
                "Leave the {removed:customers} invalid customers out of every count and every "
                "campaign; they stay listed in data/.",
                removed=left.n - left.value,
            )
        )
    cut = by_id.get("invalid_customers.consensus_cut")
    # who agreed on a rule already is told on the page how far it lies from this one
    if cut and cut.status == "supported" and "invalid_customers.agreed_instead" not in by_id:
        proposals.append(
            say(
                "Put this before the departments: {answer} What they decide goes into the "
                "parameters under agreed.",
                answer=cut.text,
            )
        )
    listed = {id_: by_id[id_].value for id_ in _LISTS if id_ in by_id}
    listed = {id_: count for id_, count in listed.items() if isinstance(count, int) and count > 0}
    proposals += [Message(_LISTS[id_].text, {"count": count}) for id_, count in listed.items()]
    leavers = sorted(id_ for id_ in by_id if id_.startswith("churn_timing.leave_within"))
    kept = "churn_timing.proposed_to_keep" in listed
    if leavers and not kept and by_id[leavers[0]].status != "not_enough_data":
        soon = min((by_id[id_] for id_ in leavers), key=lambda finding: finding.value or 0)
        proposals.append(
            say(
                "Give the relationship managers the list of customers with the highest chance of "
                "leaving, from data/. If nothing is done, {share:percent} of all who are here are "
                "to be expected to leave within {months:count} months.",
                share=soon.value,
                months=int(soon.id.split("_")[-2]),
            )
        )
    change = by_id.get("repurchase_drivers.to_change")
    if change and change.value:
        proposals.append(
            say(
                "Try a change in {drivers}, for a part of the customers drawn by lot: what brings "
                "customers back is an association until a trial has shown it.",
                drivers=change.value,
            )
        )
    weak = [finding for finding in by_id.values() if finding.status == "weak"]
    if weak:
        proposals.append(
            say("Before acting on an answer marked weak, read on its page which check failed.")
        )
    return tuple(proposals) or (
        say("Nothing to propose: these data do not support any answer yet."),
    )
