"""Masks over what could tell who wrote a text: addresses, numbers, names and clients' ids, in English and in Korean.

Rules err on the side of hiding: a word too many is masked sooner than a name too few. What no rule can know, such as a
bare name in the middle of a sentence, stays; `mask_text` says what that is.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable
from functools import cache
from itertools import groupby
from typing import Final, Literal, get_args

__all__ = ["MASKS", "Language", "mask_text", "shorten_text"]

Language = Literal["en", "ko"]

#: What stands in place of what was hidden.
MASKS: Final[dict[Language, dict[str, str]]] = {
    "en": {
        "mail": "[e-mail]",
        "link": "[link]",
        "handle": "[account]",
        "number": "[number]",
        "address": "[address]",
        "name": "[name]",
        "client": "[client]",
    },
    "ko": {
        "mail": "[이메일]",
        "link": "[링크]",
        "handle": "[계정]",
        "number": "[번호]",
        "address": "[주소]",
        "name": "[이름]",
        "client": "[고객]",
    },
}
_MASK: Final = "|".join(re.escape(mask) for masks in MASKS.values() for mask in masks.values())
#: Ids with fewer signs are common words or numbers.
_SHORTEST_ID = 3
#: What people write comes to rest after two or three. A row of names, each told only once the one before is hidden,
#: takes a round for each.
_MOST_ROUNDS = 30

# What is hidden, in this order: where a pattern has a group, only what the group finds. A match whose group found
# nothing hides nothing: it steps over signs from none of which the pattern could find anything. Tried from each of them
# anew, it would take time by the square of the length of a word.

_USER = r"[^\s@,;:()<>\[\]]++"
_ENDINGS = "com|net|org|kr|co|edu|io|de|uk|jp|cn"
#: Behind an at-sign within a word, of which there may be many: it need not look past the next, which was tried first.
_SPELT_HOST = r"(?: [\w-]+|(?:(?!골뱅이)[\w-])+(?:골뱅이)?|골뱅이)"
_MAILS_AND_LINKS: Final = (
    ("link", r"(?i:\b(?:https?|ftp)://|\bwww\.)[^\s\[\]]+"),
    ("mail", rf"({_USER}(?: @ |@ ?)[^\s@,;:()<>\[\]!?]+\.[^\s@,;:()<>\[\]!?]+)|{_USER}"),
    ("mail", rf"({_USER} @(?i:[\w-]+(?:\.[\w-]+)*\.(?:{_ENDINGS})(?![a-z0-9])))|{_USER}"),
    ("mail", rf"({_USER}@[^\s@,;()<>\[\]!?]+)|{_USER}"),
    (
        "mail",
        rf"(?i:([\w.+-]+(?:(?: ?(?:\(at\)|\[at\]|\{{at\}}| at )| 골뱅이) ?[\w-]+|골뱅이{_SPELT_HOST})"
        rf" ?(?:\.|\(dot\)|\[dot\]| dot |닷|쩜) ?(?:{_ENDINGS})\b))|[\w.+-]++",
    ),
    (
        "link",
        r"(?i:(?<![\w@.])(?:([a-z0-9-]+(?:\.[a-z0-9-]+)*"
        r"\.(?:com|net|org|kr|io|biz|info|shop|store|app|link|co|be|ly|gl)(?![a-z0-9])(?:/[^\s\[\]]*)?)"
        r"|[a-z0-9-]++(?:\.[a-z0-9-]++)*+))",
    ),
    ("handle", r"@[\w.]+"),
    (
        "handle",
        r"(?i:\b(?:id|username|account|kakao|kakaotalk|instagram|insta|telegram) ?(?:is|:|=) ?)"
        r"(?=[A-Za-z0-9][\w.-]{2})(?:(?=[\w.-]*[\d_.]\w)([\w.-]+)|[\w.-]*-)",
    ),
    (
        "handle",
        r"(?:아이디|계정|닉네임|카톡|카카오톡?|인스타(?:그램)?|텔레그램) ?(?:은|는|이|가|:|=)? ?"
        r"([A-Za-z0-9][A-Za-z0-9_.-]{2,})",
    ),
)

_PROVINCE = (
    "(?:서울|부산|대구|인천|광주|대전|울산|세종|경기|강원|충북|충남|전북|전남|경북|경남|제주"
    "|충청북|충청남|전라북|전라남|경상북|경상남)(?:특별시|광역시|특별자치시|특별자치도|시|도)?"
)
_DISTRICTS = "(?:[가-힣]{1,7}(?:시|군|구|읍|면) +)++"
_NUMBER_IN_STREET = r" *\d{1,5}(?:-\d{1,5})?(?:번지)?"
_UNIT = r"(?:[, ]*\d{1,4} ?(?:동|호|층|번지)(?![가-힣]))*"
_STREET = (
    r"(?:Street|St|Road|Rd|Avenue|Ave|Lane|Ln|Drive|Dr|Boulevard|Blvd|Court|Ct|Way|Close|Place|Pl|Square|Sq|Terrace"
    r"|Crescent|Grove|Gardens|Hill|Park)"
)
_ADDRESSES: Final = (
    (
        "address",
        rf"{_PROVINCE} +[가-힣]{{1,8}}(?:시|군|구)(?=[\s,에로의]|$)"
        rf"(?: +[가-힣0-9]{{1,10}}(?:구|읍|면|동|리|로|길|가)(?![가-힣]))*(?:{_NUMBER_IN_STREET})?{_UNIT}",
    ),
    (
        "address",
        rf"({_DISTRICTS}[가-힣0-9]{{1,10}}(?<!으)(?:로|길|동|리|가){_NUMBER_IN_STREET}{_UNIT})|{_DISTRICTS}",
    ),
    ("address", r"\d{1,4} ?동 ?\d{1,5} ?호|\d{1,5}(?:-\d{1,5})? ?번지"),
    (
        "address",
        rf"\b\d{{1,5}}[A-Za-z]?,? (?:[A-Z][\w'’.-]* ){{1,3}}{_STREET}\b\.?"
        r"(?:,? (?i:apt|apartment|flat|unit|suite) ?#?\w+)?",
    ),
    ("address", r"(?i:\b(?:p\. ?o\. ?|po )box \d+)"),
    ("address", r"\b[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}\b"),
)

_SPOKEN_DIGIT = r"(?:zero|oh|one|two|three|four|five|six|seven|eight|nine|double|triple)"
_NUMBERS: Final = (
    # A run with a code, of which `_codes_hidden` hides the parts.
    (
        "code",
        r"(?<![A-Za-z0-9])(?=[A-Za-z0-9])"
        r"(?:((?=[0-9-]*+[A-Za-z])(?=(?:[A-Za-z-]*+\d){4})[A-Za-z0-9-]++)|[A-Za-z0-9-]++)",
    ),
    # Between the digits may be anything but a comma: an amount of money has commas, and stays.
    ("number", r"\+?\(?\d(?:[\s\-‐-―−./()·_~:*#+]{0,3}\d){4,}[*xX]*"),
    ("number", r"(?:[공영일이삼사오육륙칠팔구] ?-? ?){6,}[공영일이삼사오육륙칠팔구]"),
    ("number", rf"(?i:\b{_SPOKEN_DIGIT}(?:[ ,-]+{_SPOKEN_DIGIT}){{5,}}\b)"),
)

_NAMED = r"[A-Z][\w'’-]*\.?"
_NAME = rf"({_NAMED}(?: {_NAMED}){{0,2}})"
#: Whom one greets or thanks without a name.
_NOBODY = (
    r"(?!(?i:sir|madam|ma['’]?am|there|team|all|everyone|everybody|support|customer|service|services|again|folks|guys"
    r"|friends?|shop|store|and|you|the|a|an|so|very|but|for|to|in|if|it|this|my|your|we|please|i|i['’]m|not|seller"
    r"|manager|someone|anyone|nobody|no)\b)"
)
_ENGLISH_NAMES: Final = (
    ("name", rf"\b(?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Professor|MR|MRS|MS|DR)\b\.? ?{_NAME}"),
    ("name", r"(?i:\b(?:my|his|her) (?:full )?name(?: is|['’]s|:) ?)([^\W\d_][\w'’-]*(?: [A-Z][\w'’-]*){0,2})"),
    (
        "name",
        r"(?i:\b(?:i am|i['’]m|call me|signed|name:|named|by the name of|spoke (?:to|with)|talked (?:to|with)|agent"
        rf"|colleague|ask for|c/o|attn:?),? ){_NOBODY}{_NAME}",
    ),
    ("name", rf"\b(?i:this is|it is|it['’]s) {_NOBODY}{_NAME}(?= (?:from|here|speaking|again|writing)\b)"),
    (
        "name",
        r"(?i:\b(?:hi|hello|hey|dear|good (?:morning|afternoon|evening)|thanks|thank you|cheers|many thanks)),? "
        rf"{_NOBODY}{_NAME}(?= *(?:[,!.:;\n–—-]|$))",
    ),
    ("name", rf"(?i:\b(?:hi|hello|hey|dear)) {_NOBODY}([^\W\d_]{{2,}})(?=,)"),
    (
        "name",
        r"(?i:\b(?:regards|sincerely|truly|faithfully|best wishes|cheers|thanks|thank you|yours|love))"
        rf"[,.!]?\s*+(?:[-–—]\s*+)?{_NOBODY}(?:{_NAME}\s*$|[A-Z][\w'’-]*['’-])",
    ),
    ("name", rf"(?:^|\s)[-–—~] ?{_NOBODY}{_NAME}\s*$"),
)

#: Of nearly all Koreans.
_SURNAME = (
    "(?:남궁|황보|제갈|선우|독고|사공|서문|[김이박최정강조윤장임한오서신권황안송전홍유고문양손배백허남심노하곽성차주우구민류나진지엄채원천방"
    "공현함변염여추도소석선설마길연위표명기반왕금옥육인맹탁국어은편용예경봉사부가복태목형피두감음빈동온호범좌팽승간상시갈단견당])"
)
#: What people are called by instead of a name; longer titles may end in one of these.
_TITLES = (
    "고객|회원|사장|사모|대표|점장|실장|팀장|과장|부장|차장|회장|원장|소장|국장|반장|이사|기사|선생|교수|의사|간호사|약사|변호사|작가|감독|배우|가수"
    "|직원|점원|상담원|상담사|담당자|판매자|구매자|관리자|운영자|매니저|셀러|주인|부모|아버|어머|할머|할아버|장모|장인|이모|고모|언니|오라버|도련|손주"
    "|스승|임금|경찰관|소방관|주무관|선배|후배|작성자|글쓴이|이웃|여러분|사용자|신부|목사|대리|주임|사원"
)
_CALLED_BY_TITLE = rf"(?!(?:하느|하나|[가-힣]{{0,3}}?(?:{_TITLES})) ?님|[가-힣]{{0,3}}(?:날|글|말|마음|아저|아가)씨)"
_PARTICLE = "이|가|은|는|을|를|께|도|만|과|와|의|에|한테|랑|하고|로|으로|처럼|보다|아|야|요|입|였|인|덕|들"
_ADDRESSED_TITLES = "기사|선생|사장|대표|점장|실장|팀장|과장|부장|차장|대리|매니저|상담원|상담사|직원|교수|원장"
_I_AM = "입니다|이에요|예요|이예요|이고|이라고|라고|인데"
_FORMS = "이름|성함|성명|주문자|수령인|예금주|입금자|신청자|받는 ?(?:분|사람)|보내는 ?(?:분|사람)"
_ENDS = rf"(?=$|[^가-힣]|{_PARTICLE})"
_KOREAN_NAMES: Final = (
    ("name", rf"(?<![가-힣]){_CALLED_BY_TITLE}([가-힣]{{1,4}}?) ?고객님{_ENDS}"),
    ("name", rf"(?<![가-힣]){_CALLED_BY_TITLE}([가-힣]{{2,4}}?)(?:님|씨){_ENDS}"),
    ("name", rf"(?<![가-힣])({_SURNAME}[가-힣]{{2}}) (?:님|씨|고객){_ENDS}"),
    ("name", rf"(?<![가-힣])({_SURNAME}[가-힣]{{2}})(?<![님씨는던된]) ?(?=(?:{_ADDRESSED_TITLES})님?{_ENDS})"),
    ("name", rf"(?:{_FORMS})명? ?(?:은|는|:|=)? ?({_SURNAME}[가-힣]{{1,3}}?)(?={_I_AM}|이며|이구요|[^가-힣]|$)"),
    ("name", rf"(?:{_FORMS})[이가] ({_SURNAME}[가-힣]{{1,3}}?)(?={_I_AM}|이며|이구요)"),
    ("name", rf"(?<![가-힣])(?:저는|전|제가|저) ({_SURNAME}[가-힣]{{2}})(?={_I_AM})"),
    ("name", r"(?<![가-힣])([가-힣]{2,4}) ?(?:드림|올림|배상)[ .!~]*$"),
    ("name", rf"(?:^|\s)[-–—~] ?({_SURNAME}[가-힣]{{1,2}})[ .!~]*$"),
)

_RULES: Final = tuple(
    (kind, re.compile(pattern, re.MULTILINE))
    for kind, pattern in (*_MAILS_AND_LINKS, *_ADDRESSES, *_NUMBERS, *_ENGLISH_NAMES, *_KOREAN_NAMES)
)


def mask_text(text: str, *, clients: Iterable[object] = (), language: Language = "en") -> str:
    """Hide what in a text could tell who wrote it or whom it is about.

    Hidden are e-mail addresses, also spelt out (``kim at example dot com``); links and bare domains; ``@handles`` and
    account names behind a word that announces one; every run of five digits or more, of any script and with blanks,
    hyphens, dots, slashes or brackets between them, and codes of letters and four digits or more, so that telephone,
    card, account, order and resident registration numbers go alike; numbers spelt out digit by digit; Korean
    addresses, street addresses in English, British postcodes; names beside what marks them as names (see below); and
    the ids given as `clients`.

    Parameters
    ----------
    text : str
        What somebody wrote.
    clients : iterable, optional
        Ids of clients, hidden wherever they stand as a word, in capitals or not. Those of one or two signs are left.
    language : {"en", "ko"}, default="en"
        Of the words that stand in for what was hidden: ``[name]`` or ``[이름]``. Both languages are looked through.

    Returns
    -------
    str
        The text with full-width and other unusual letters and digits as plain ones, without control characters, signs
        of no width and marks that turn the writing direction; lines stay apart. Masking it again changes nothing.

    Raises
    ------
    TypeError
        If `text` is not a str.
    ValueError
        If `language` is neither.

    Notes
    -----
    A name is hidden where it stands beside one of these: Mr, Mrs, Ms, Dr; "my name is", "I am", "spoke to"; a
    greeting; a sign-off; Korean 님, 씨 and 고객님, a title (기사, 팀장), "제 이름은", "저는 …입니다", 드림 and 올림.

    It cannot hide what nothing marks: a bare name in the middle of a sentence ("my neighbour Anna said"), names written
    in small letters where capitals are looked for, nicknames, an address without number or district, amounts with
    commas, dates of fewer than five digits, an employer, an illness, or a story that only one person can tell. It
    lowers the risk of showing a text; it does not make the text anonymous.

    Time grows with the length of a text, whatever it is made of. A text with a row of about thirty names or more, each
    of which can be told only once the one before is hidden, becomes a single ``[name]``.

    Examples
    --------
    >>> mask_text("Dear Anna, I'm John Smith (john@example.com, 010-1234-5678). My lamp is broken!")
    "Dear [name], I'm [name] ([e-mail], [number]). My lamp is broken!"
    >>> mask_text("김민수 고객님, 제 번호는 ０１０ １２３４ ５６７８ 입니다.", language="ko")
    '[이름] 고객님, 제 번호는 [번호] 입니다.'

    What nothing marks as a name stays:

    >>> mask_text("Anna packed it, for 12,500 won.")
    'Anna packed it, for 12,500 won.'
    """
    if not isinstance(text, str):
        raise TypeError(f"`text` must be a str; got {text!r}.")
    if language not in get_args(Language):
        raise ValueError(f"`language` must be 'en' or 'ko'; got {language!r}.")
    known = clients if isinstance(clients, frozenset) else client_words(clients)
    text = plain(text)
    # A mask may stand where it makes another rule speak. Each round hides signs for good, so that it comes to an end.
    for _ in range(_MOST_ROUNDS):
        if (masked := _masked(text, known, MASKS[language])) == text:
            return text
        text = masked
    return MASKS[language]["name"]


def client_words(clients: Iterable[object]) -> frozenset[str]:
    """Return ids as `mask_text` looks for them; to be made once where many texts are masked."""
    words = (plain(str(client)).casefold() for client in clients)
    return frozenset(word for word in words if len(word) >= _SHORTEST_ID)


def _masked(text: str, known: frozenset[str], masks: dict[str, str]) -> str:
    if known:
        # Ids with signs of their own, and ids of plain letters and digits to which a Korean particle clings.
        for word in (_WORD, _PLAIN_WORD):
            text = word.sub(lambda found: _id_hidden(found[0], known, masks), text)
    for kind, pattern in _RULES:
        hide = _codes_hidden(masks["number"]) if kind == "code" else _hider(masks[kind])
        text = pattern.sub(hide, text)
    return text


_WORD: Final = re.compile(rf"{_MASK}|\w[\w.@+-]*\w")
_PLAIN_WORD: Final = re.compile(rf"{_MASK}|[A-Za-z0-9][A-Za-z0-9_.-]*[A-Za-z0-9]")


def _id_hidden(word: str, known: frozenset[str], masks: dict[str, str]) -> str:
    if word.startswith("[") or word.casefold() not in known:
        return word
    return masks["number" if word.isdigit() else "client"]  # a number need not have been meant as an id


@cache
def _hider(mask: str) -> Callable[[re.Match[str]], str]:
    """Put a mask in place of the group of a match, if it found anything, or of all where there is no group."""

    def hide(found: re.Match[str]) -> str:
        if not found.re.groups:
            return mask
        if found[1] is None:
            return found[0]
        start, stop = (place - found.start() for place in found.span(1))
        return found[0][:start] + mask + found[0][stop:]

    return hide


#: Up to the last place of a run behind which there is still a letter, and up to that with four more digits.
_STILL_A_CODE: Final = re.compile(r"(?=([A-Za-z0-9-]*)[A-Za-z])(?=([A-Za-z0-9-]*)(?:\d[A-Za-z-]*+){3}\d)")
_PART_OF_CODES: Final = re.compile("[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*")


@cache
def _codes_hidden(mask: str) -> Callable[[re.Match[str]], str]:
    """Put a mask in place of the parts of a run, between which stand two hyphens or more, that begin a code.

    A letter and four digits must follow, be it in later parts; looked for once, not from each part anew.
    """

    def hide(found: re.Match[str]) -> str:
        run, still = found[0], _STILL_A_CODE.match(found[0])
        if found[1] is None or still is None:
            return run
        last = min(still.end(1), still.end(2))
        return _PART_OF_CODES.sub(lambda part: mask if part.start() <= last else part[0], run)

    return hide


class _Plain(dict[int, str | None]):
    """What each sign is written as, found out once."""

    def __missing__(self, code: int) -> str | None:
        sign = chr(code)
        kind = unicodedata.category(sign)
        written: str | None
        if sign == "\n":
            written = sign
        elif kind in ("Cf", "Cs", "Co", "Cn"):
            written = None
        elif kind[0] == "Z" or kind == "Cc":
            written = "\n" if kind in ("Zl", "Zp") else " "
        elif (digit := unicodedata.digit(sign, None)) is not None:
            written = str(digit)
        elif 0x3131 <= code <= 0x318E or 0xFFA0 <= code <= 0xFFDC:
            written = sign  # Korean letters alone, as in ㅠㅠ, would be taken for parts of syllables
        else:
            written = unicodedata.normalize("NFKC", sign)
        self[code] = written
        return written


_PLAIN: Final = _Plain()


def plain(text: str) -> str:
    r"""Write a text with plain letters and digits, single blanks, and nothing that is not seen.

    Examples
    --------
    >>> plain("０１０\u200b-①②  pay\u202eoff\x00 ㅠㅠ\r\n다음 줄")
    '010-12 payoff ㅠㅠ\n다음 줄'
    """
    written = _MANY_SIGNS.sub(_marks_in_order, text.replace("\r\n", "\n").translate(_PLAIN))
    written = unicodedata.normalize("NFC", written)
    return "\n".join(" ".join(line.split(" ")).strip() for line in re.sub(" {2,}", " ", written).split("\n")).strip()


_MANY_SIGNS: Final = re.compile(r"[^\w\s]{32,}")


def _marks_in_order(found: re.Match[str]) -> str:
    """Bring accents over one letter into the order of NFC, which takes the square of their number for it."""
    runs = groupby(found[0], key=lambda sign: unicodedata.combining(sign) > 0)
    return "".join("".join(sorted(run, key=unicodedata.combining) if marks else run) for marks, run in runs)


def shorten_text(text: str, *, longest: int = 160) -> str:
    """Write a masked text in one line of at most so many signs, cut between words.

    Examples
    --------
    >>> shorten_text("My lamp [number] came broken.", longest=20)
    'My lamp [number] …'
    """
    line = " ".join(text.split())
    if len(line) <= longest:
        return line
    kept = line[: longest - 2]
    head, blank, _ = kept.rpartition(" ")
    if not blank or line[longest - 2] == " ":
        head = kept if blank else kept[: kept.rfind("[")] if "[" in kept[-12:] else kept
    return f"{head.rstrip()} …"
