"""Questions about a span of a text (a date, a number, a name, a noun), asked with the words around it, and noise as people type it."""
import random
import re

from questions import CHINESE, STOP

MONTH = "January|February|March|April|May|June|July|August|September|October|November|December"
SPANS = (  # (pattern, question words)
    (rf"\b(?:(?:{MONTH})\s+(?:\d{{1,2}},?\s+)?)?(?:1[0-9]|20)\d\d\b", ("when", "in what year", "what year", "in which year", "when")),
    (r"(?:\$|€|£)\s?[\d,.]+(?:\s(?:million|billion))?|\b\d[\d,.]*\s?(?:%|percent)", ("how much", "what percentage", "how much")),
    (r"\b\d[\d,.]*\b|\b(?:two|three|four|five|six|seven|eight|nine|ten|twelve|hundred|thousand|million)\b", ("how many", "how many", "what number of")),
    (r"(?<=[a-z,;] )(?:[A-Z][\w'-]+)(?:\s(?:of the|of|de|van)?\s?[A-Z][\w'-]+){0,3}", ("who", "what", "which", "where", "who", "what is the name of")),
    (r"(?<=\bthe )[a-z]+(?: [a-z]+)?(?= of\b| that\b| which\b)|(?:(?<=\ba )|(?<=\ban ))[a-z]+(?: [a-z]+)?(?=[,.;])", ("what", "what", "which", "what kind of")),
)
CHINESE_SPANS = (
    (r"(?:公元前?|西元前?)?\d{3,4}年(?:\d{1,2}月)?(?:\d{1,2}日)?", ("哪一年", "什么时候", "何时", "哪年")),
    (r"\d[\d,.万亿]*(?:个|人|名|座|只|种|次|米|公里|公尺|平方公里|元|岁|年|%|天|公斤|吨|辆|架|艘|所|间|位|部|集|场)", ("多少", "几", "多少")),
    (r"《[^》]{2,20}》|「[^」]{2,16}」|“[^”]{2,16}”", ("什么", "哪一个", "哪部作品", "什么")),
    (r"[\u4e00-\u9fff·]{2,8}(?=(?:省|市|县|国|州|岛|大学|公司|教授|国王|皇帝|将军|总统|博士))", ("哪个", "哪里的", "哪一个", "什么")),
    (r"(?<=[为是由在被])[\u4e00-\u9fff]{2,8}(?=[，。、的])", ("什么", "谁", "哪里", "哪个", "什么")),
)


def inflected(word):
    """The word in another form, by its ending only."""
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) > len(ending) + 3:
            return word[:-len(ending)] + random.choice(("", "s", "ed", "ing"))
    return word + random.choice(("s", "ed", "ing")) if len(word) > 3 and word.isalpha() and word.islower() else word


def span_query(sentence, synonyms):
    """A question whose answer is a span of the sentence, and that span; None when nothing in it looks like an answer."""
    return chinese_span(sentence) if CHINESE.search(sentence) else english_span(sentence, synonyms)


def english_span(sentence, synonyms):
    found = [(m, ask) for pattern, ask in SPANS for m in re.finditer(pattern, sentence) if len(m[0]) < 50]
    if not found:
        return None
    match, ask = random.choice(found)
    near = re.split(r"[;:()]|, (?:and|but|which|while) ", sentence[:match.start()])[-1].split(), re.split(r"[;:()]", sentence[match.end():])[0].split()
    room = random.randint(5, 13)
    left = near[0][-room:]
    right = near[1][:max(room - len(left), 4)]
    rest = right + left if random.random() < 0.3 else left + right
    drop = random.uniform(0, 0.45)
    kept = []
    for word in (w.strip(",.\"'()[]") for w in rest):
        if not word or random.random() < (min(1, drop + 0.3) if word.lower() in STOP else drop):
            continue
        if word.lower() in synonyms and random.random() < 0.12:
            word = random.choice(synonyms[word.lower()])
        elif random.random() < 0.12:
            word = inflected(word)
        kept.append(word)
    if len([w for w in kept if w.lower() not in STOP]) < 2:
        return None
    question = random.choice(ask)
    auxiliary = random.choice(("", "", "did", "was", "is", "does", "were")) if question not in ("who",) else ""
    text = f"{' '.join(kept)} {question}" if random.random() < 0.08 else " ".join(x for x in (question, auxiliary, *kept) if x)
    return text[0].upper() + text[1:] + random.choice(("?", "?", "")), match[0]


def chinese_span(sentence):
    found = [(m, ask) for pattern, ask in CHINESE_SPANS for m in re.finditer(pattern, sentence)]
    if not found:
        return None
    match, ask = random.choice(found)
    question = random.choice(ask)
    clauses = re.split(r"[，。；：！？]", sentence[:match.start()] + "\0" + sentence[match.end():])
    number = next(i for i, c in enumerate(clauses) if "\0" in c)
    kept = [c for i, c in enumerate(clauses) if i == number or (c and abs(i - number) <= 2 and random.random() < 0.45)]
    text = "".join(kept)
    if random.random() < 0.35:  # the question word at the end or in front
        text = text.replace("\0", "") + random.choice(("是", "在", "")) + question if random.random() < 0.6 else question + text.replace("\0", "")
    text = text.replace("\0", question)
    text = "".join(c for c in text if random.random() > 0.06 or c in question)
    return (text[:46] + random.choice(("？", "？", "", "?")), match[0]) if len(text) - len(question) >= 5 else None


KEYS = {a: b for row in ("qwertyuiop", "asdfghjkl", "zxcvbnm") for a, b in zip(row, row[1:] + row[-2])}


def noisy(text):
    """The question as typed in a hurry: a slip or two, no capitals, no punctuation."""
    if CHINESE.search(text):
        text = re.sub(r"[？?！。，]", lambda m: random.choice(("", "", " ", m[0])), text)
        at = random.randrange(max(len(text) - 1, 1))
        return text[:at] + text[at + 1:] if random.random() < 0.4 and len(text) > 8 else text
    text = text.lower() if random.random() < 0.7 else text
    text = re.sub(r"[?,.'\"]", "", text) if random.random() < 0.7 else text
    words = text.split(" ")
    for _ in range(random.choice((0, 1, 1, 2))):
        i = max(random.sample(range(len(words)), min(3, len(words))), key=lambda j: len(words[j]))  # long words go wrong more often
        words[i] = slip(words[i])
    return " ".join(w for w in words if w)


def slip(word):
    if len(word) < 4:
        return word
    i = random.randrange(1, len(word) - 1)
    return random.choice((word[:i] + word[i + 1] + word[i] + word[i + 2:], word[:i] + word[i + 1:], word[:i] + word[i] + word[i:],
                          word[:i] + KEYS.get(word[i].lower(), word[i]) + word[i + 1:]))
