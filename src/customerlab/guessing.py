"""Which table a client's file holds, and which of its columns is which: by name and content."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

import duckdb
import pandas as pd

from customerlab.contract import TABLES, Column, Table
from customerlab.sources import parse_source, sniff

#: Other names of our columns, in lower case, without blanks and signs.
SYNONYMS: dict[str, str] = {
    "customer_id": "customerid customer cust custid custno customerno customernumber clientid "
    "client clientno userid user memberid member householdid cifno cif kundennummer "
    "客户号 客户编号 客户id 客户代码 会员号 会员编号 用户id 用户编号",
    "joined_on": "joindate joined opendate opendt registrationdate registered signupdate since "
    "customersince createddate 开户日期 注册日期 入会日期 加入日期 建档日期",
    "birth_date": "birth birthdate birthday dateofbirth dob born 出生日期 生日 出生年月日",
    "gender": "gender sex 性别",
    "region": "region country state province city area district 地区 区域 省份 城市 所在地",
    "occupation": "occupation job profession 职业",
    "acquired_through": "acquiredthrough source acquisitionchannel referrer 获客渠道 来源 来源渠道",
    "income_12m": "income12m annualincome revenue12m 年收入贡献 年贡献",
    "assets": "assets aum totalassets 资产 总资产 资产总额 管理资产",
    "idle_months": "idlemonths monthsidle 未动月数 睡眠月数",
    "account_id": "accountid account accountno acctno acctid acct iban 账号 账户号 账户编号 账户",
    "product": "product productid productcode productname sku stockcode item itemid article "
    "产品 产品编号 产品代码 商品 商品编号 商品编码",
    "opened_on": "openedon opendate opendt opened openingdate 开户日期 开户日",
    "closed_on": "closedon closedate closedt closed closingdate 销户日期 销户日",
    "balance": "balance bal amount 余额 账户余额 月末余额",
    "branch": "branch branchid branchno office 网点 支行 机构 机构号",
    "is_payroll": "ispayroll payroll salaryaccount 是否代发 代发 代发标志",
    "month": "month yearmonth period asof 月份 年月 月 账期",
    "occurred_at": "occurredat when date datetime time timestamp transactiondate transactiontime "
    "transactiontimestamp txdate txtime trandate transdate orderdate ordertime invoicedate "
    "purchasedate 交易日期 交易时间 日期 时间 下单时间 订单日期 发生日期 发生时间",
    "amount": "amount amt value total totalprice sales salesvalue price sum transactionamount "
    "tranamt txamount 金额 交易金额 发生额 销售额 订单金额",
    "quantity": "quantity qty units count 数量 件数",
    "unit_price": "unitprice price priceperunit 单价 价格",
    "transaction_id": "transactionid transid tranid txid txno reference 流水号 交易流水号 交易号",
    "order_id": "orderid order orderno invoice invoiceno basketid receipt 订单号 订单编号 单号",
    "kind": "kind type transactiontype txtype trantype 交易类型 类型 业务类型",
    "category": "category productcategory department group 类别 品类 商品类别",
    "channel": "channel 渠道 交易渠道",
    "payment_method": "paymentmethod payment paymenttype 支付方式 付款方式",
    "discount": "discount retaildisc 折扣 优惠 优惠金额",
    "promised_on": "promisedon promiseddate duedate estimateddelivery 预计送达 承诺送达日期",
    "delivered_on": "deliveredon delivereddate deliverydate arrived received 送达日期 签收日期",
    "counterparty": "counterparty partner merchant 对方账号 对手方 商户",
    "list_price": "listprice price rrp 标价 原价",
    "margin": "margin grossmargin 毛利率 毛利",
    "own_brand": "ownbrand privatelabel privatebrand storebrand 自有品牌 是否自有品牌",
    "topic": "topic subject reason 主题 事由 投诉原因",
    "case_id": "caseid case ticket ticketid 工单号 案件号",
    "resolved": "resolved solved closed 是否解决 已解决",
    "page": "page url 页面",
    "dwell_seconds": "dwellseconds dwell duration seconds 停留时间 停留秒数",
    "week": "week weekstart 周",
    "spend": "spend cost spending 花费 费用 投放金额",
    "campaign_id": "campaignid campaign 活动编号 活动号 营销活动",
    "name": "name campaignname campaigntype 名称 活动名称",
    "starts_on": "startson startdate start 开始日期",
    "ends_on": "endson enddate end 结束日期",
    "contact_cost": "contactcost cost 接触成本",
    "arm": "arm group segment treatment variant testgroup 分组 组别 实验组",
    "assigned_at": "assignedat assigned assignmentdate 分组时间",
    "propensity": "propensity probability 概率",
    "duration": "duration tenure months monthsactive lifetime 时长 在网时长 存续月数",
    "churned": "churned churn left event exited cancelled 流失 是否流失",
    "entry": "entry entrymonth",
    "responded": "responded response y bought converted 是否响应 响应",
    "contacted_at": "contactedat contactdate 接触时间 接触日期",
    "staff_id": "staffid agent employee 员工号 客户经理",
}

#: Words in a file's name that point to a table.
_FILE_WORDS: dict[str, str] = {
    "customers": "customer client user member household 客户 会员 用户",
    "accounts": "account acct 账户 账号",
    "balances": "balance 余额",
    "transactions": "transaction trans tx order sale invoice purchase ledger retail 交易 流水 订单",
    "products": "product item sku 产品 商品",
    "interactions": "interaction contact case complaint service 投诉 工单",
    "visits": "visit click session web 访问 浏览",
    "channel_spend": "spend marketing media 投放",
    "ratings": "rating review satisfaction 评分 评价",
    "campaigns": "campaign 活动",
    "assignments": "assignment arm 分组",
    "durations": "churn duration tenure telco 流失",
    "contacts": "contact call marketing 外呼",
    "experiment": "experiment test hillstrom 实验",
}

#: Forms of dates, the plainer first; ISO forms need not be declared.
_ISO = ("%Y-%m-%d", "%Y/%m/%d")
_DAYS = (
    *("%Y%m%d", "%Y年%m月%d日", "%d.%m.%Y", "%Y.%m.%d", "%m/%d/%Y", "%d/%m/%Y"),
    *("%d-%m-%Y", "%m-%d-%Y", "%d %b %Y", "%d-%b-%Y", "%m/%d/%y", "%d/%m/%y", "%y%m%d"),
)
_MONTHS = ("%Y-%m", "%Y%m", "%Y/%m", "%Y年%m月")
_TIMES = ("", " %H:%M", " %H:%M:%S", "T%H:%M:%S", "T%H:%M", " %H:%M:%S.%f", "T%H:%M:%S.%f")

_TRUTHS = {"true", "false", "yes", "no", "y", "n", "t", "f", "0", "1", "是", "否"}
_NUMBER = re.compile(r"[-+]?[\d,， ]*\.?\d+(e[-+]?\d+)?", re.IGNORECASE)
_ALIKE = 0.84
#: Share of a column's cells that must have the kind for the guess to stand: files are dirty.
_MOST = 0.9


@dataclass(frozen=True)
class Look:
    """What the head of a file shows."""

    file: Path
    encoding: str | None
    delimiter: str | None
    header: tuple[str, ...]
    sample: pd.DataFrame


@dataclass(frozen=True)
class Guess:
    """The client's column for one of ours.

    Attributes
    ----------
    source : str
    score : float
        1 for the same name.
    format : str or None
        Of dates, where it has to be declared.
    doubt : str
        Why it is worth a look; empty where it is not.
    """

    source: str
    score: float
    format: str | None = None
    doubt: str = ""


def look_at(file: Path) -> Look:
    """Look at the head of a file."""
    seen = sniff(file)
    return Look(file, seen.encoding, seen.delimiter, seen.header, seen.sample)


def guess_table(look: Look) -> Table | None:
    """Return the canonical table that the file seems to hold, or None."""
    scores = {}
    for table in TABLES.values():
        guesses = guess_columns(table, look)
        if (
            not table.required
            or not _suffices(table, guesses)
            or not _has_key(table, guesses, look)
        ):
            continue
        named = any(word in _plain(look.file.name) for word in _FILE_WORDS[table.name].split())
        scores[table.name] = sum(guess.score for guess in guesses.values()) + 1.5 * named
    return TABLES[max(scores, key=lambda name: scores[name])] if scores else None


def guess_columns(table: Table, look: Look) -> dict[str, Guess]:
    """Return the client's column for each of the table's, as far as there is one."""
    candidates = [
        (score, column, source)
        for column in table.columns
        for source in look.header
        if (score := _alike(column.name, source)) >= _ALIKE
    ]
    found: dict[str, Guess] = {}
    taken: set[str] = set()
    for score, column, source in sorted(candidates, key=lambda c: -c[0]):
        if column.name in found or source in taken:
            continue
        guess = _read_as(column, source, look, score)
        if guess is not None:
            found[column.name] = guess
            taken.add(source)
    return {column.name: found[column.name] for column in table.columns if column.name in found}


def _suffices(table: Table, guesses: Mapping[str, Guess]) -> bool:
    lacking = set(table.required) - set(guesses)
    product = table.name == "transactions" and {"quantity", "unit_price"} <= set(guesses)
    return lacking <= ({"amount"} if product else set())


def _has_key(table: Table, guesses: Mapping[str, Guess], look: Look) -> bool:
    """Say whether the key tells the rows of the sample apart, a few dirty ones aside."""
    if not table.key or not set(table.key) <= set(guesses):
        return not set(table.key) & set(table.required)
    columns = [guesses[name].source for name in table.key]
    return look.sample.empty or look.sample[columns].duplicated().mean() < 1 - _MOST


def _alike(name: str, source: str) -> float:
    ours, theirs = _plain(name), _plain(source)
    if ours == theirs:
        return 1.0
    if theirs in SYNONYMS.get(name, "").split():
        return 0.95
    return 0.9 * SequenceMatcher(None, ours, theirs).ratio()


def _plain(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.lower())


def _read_as(column: Column, source: str, look: Look, score: float) -> Guess | None:
    """Return the guess when the cells can be read as the column's kind."""
    cells = look.sample[source].dropna().astype(str).str.strip()
    doubt = "" if score >= 0.95 else "only the name is alike"
    if cells.empty:
        return Guess(source, score / 2, doubt="no values in the first rows")
    if column.kind in {"date", "timestamp", "month"}:
        forms = date_formats(cells, column.kind)
        if not forms:
            return None
        if len(forms) > 1:
            doubt = f"or {' or '.join(forms[1:])}"
        declared = None if forms[0].startswith(_ISO) or forms[0] == "%Y-%m" else forms[0]
        return Guess(source, score, declared, doubt)
    if column.kind in {"amount", "number", "integer"}:
        fits = cells.map(lambda cell: bool(_NUMBER.fullmatch(cell))).mean() >= _MOST
    elif column.kind == "boolean":
        fits = set(cells.str.lower()) <= _TRUTHS
    else:
        fits = True
    return Guess(source, score, doubt=doubt) if fits else None


def date_formats(cells: Iterable[str], kind: str) -> list[str]:
    """Return the forms in which (nearly) all cells are dates: several where they do not tell."""
    texts = list(dict.fromkeys(cells))
    days = (*_ISO, *_DAYS, *_MONTHS) if kind == "month" else (*_ISO, *_DAYS)
    fitting = []
    for day in days:
        for time in _TIMES:
            read = sum(_parsed(text, day + time) is not None for text in texts)
            if read >= _MOST * len(texts):
                fitting.append((read, day + time))
    best = max((read for read, _ in fitting), default=0)
    return [form for read, form in fitting if read == best]


def _parsed(text: str, form: str) -> dt.datetime | None:
    try:
        parsed = dt.datetime.strptime(text, form)
    except ValueError:
        return None
    # strptime reads 2025113 as a date with %Y%m%d, and no client means it
    narrow = re.fullmatch(r"(%[Yymd])+", form)
    return parsed if not narrow or len(parsed.strftime(form)) == len(text) else None


def last_day(
    looks: Sequence[Look], guesses: Mapping[str, Guess], table: Table, scratch: Path
) -> str | None:
    """Return the last day of a table in ISO form, leaving out a thousandth as dirt.

    The files are read whole: the last day is seldom among the first rows.
    """
    if table.known_on not in guesses or table.known_on == "month":
        return None
    guess = guesses[table.known_on]
    first = looks[0]
    cells = first.sample[guess.source].dropna().astype(str).str.strip()
    form = (date_formats(cells, "timestamp") or [""])[0]
    day, separator = re.split(r"[ T]%H", form)[0], "T" if "T%H" in form else " "
    parsed = scratch / "new.parquet"
    parse_source(
        [look.file for look in looks],
        parsed,
        encoding=first.encoding or "utf-8",
        delimiter=first.delimiter,
        where=first.file.name,
        scratch=scratch,
    )
    name = '"' + guess.source.replace('"', '""') + '"'
    with duckdb.connect() as con:
        counted = con.execute(
            f"SELECT CAST({name} AS VARCHAR), count(*) FROM read_parquet(?) GROUP BY ALL",
            [str(parsed)],
        ).fetchall()
    counts: dict[dt.date, int] = {}
    for text, count in counted:
        found = _parsed((text or "").strip().split(separator)[0] if "%b" not in day else text, day)
        if found is not None:
            counts[found.date()] = counts.get(found.date(), 0) + count
    later, dirt = 0, sum(counts.values()) / 1000
    for date in sorted(counts, reverse=True):
        later += counts[date]
        if later > dirt:
            return date.isoformat()
    return None
