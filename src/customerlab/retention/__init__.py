"""Whom to keep: groups at risk, stages of leaving, where the money goes, and what keeping pays."""

from customerlab.retention.actions import propose_keeping, say_proposed
from customerlab.retention.contacts import (
    CONTACTS_SHOWN,
    arms_as_drawn,
    contacts_to_show,
    effect_of_contact,
)
from customerlab.retention.cube import (
    build_cube,
    columns_to_show,
    cube_to_draw,
    cube_to_show,
    name_highest,
    rows_to_show,
)
from customerlab.retention.group_answers import describe_groups, groups_to_show
from customerlab.retention.looking import (
    ask_questions,
    search_groups,
    watch_assets,
    watch_contacts,
    watch_lost,
    watch_money,
    watch_pay,
    watch_stages,
)
from customerlab.retention.lost_answers import (
    already_lost_table,
    assets_lost,
    come_back_within,
    worth_winning_back,
)
from customerlab.retention.money_out import money_went, money_went_to_show
from customerlab.retention.paths import money_leaves_first, path_to_show
from customerlab.retention.payroll_answers import pay_moved, payroll_use_table
from customerlab.retention.questions import answers_to_show
from customerlab.retention.stage_answers import stage_today, stages_table, stages_to_draw
from customerlab.retention.worth import say_worth, weigh_keeping, worth_to_show

__all__ = [
    "CONTACTS_SHOWN",
    "already_lost_table",
    "answers_to_show",
    "arms_as_drawn",
    "ask_questions",
    "assets_lost",
    "build_cube",
    "columns_to_show",
    "come_back_within",
    "contacts_to_show",
    "cube_to_draw",
    "cube_to_show",
    "describe_groups",
    "effect_of_contact",
    "groups_to_show",
    "money_leaves_first",
    "money_went",
    "money_went_to_show",
    "name_highest",
    "path_to_show",
    "pay_moved",
    "payroll_use_table",
    "propose_keeping",
    "rows_to_show",
    "say_proposed",
    "say_worth",
    "search_groups",
    "stage_today",
    "stages_table",
    "stages_to_draw",
    "watch_assets",
    "watch_contacts",
    "watch_lost",
    "watch_money",
    "watch_pay",
    "watch_stages",
    "weigh_keeping",
    "worth_to_show",
    "worth_winning_back",
]
