"""Training groups: a query, a passage that answers it, others that do not. make_data.py chooses how many of which kind."""
import json
import random
import re
import zlib
from collections import Counter, defaultdict

from bm25 import BM25, terms
from questions import CHINESE, cloze_query, heading_query, name_query, sentences
from spans import span_query

HARD, EASY = 10, 4  # negatives kept for a group: the nearest by BM25 that do not answer, and any
DEVELOPMENT, TEST = 3, 11  # per cent of articles, pages, packages and sentence pairs: to choose by, and to report on


def rows(work, name):
    with open(f"{work}/text/{name}.jsonl", encoding="utf-8") as f:
        yield from map(json.loads, f)


def part(key):
    """"train", "development" or "test", by the article that a text comes from."""
    number = zlib.crc32(("held out " + key).encode()) % 100
    return "development" if number < DEVELOPMENT else "test" if number < DEVELOPMENT + TEST else "train"


def synonyms(work):
    """The first sense's synonyms of each WordNet word."""
    out = {}
    for row in rows(work, "terms"):
        found = re.search(r"\[syn: ([^\]]+)\]", row["text"])
        if row["source"] == "dict-wn" and found:
            others = [w.strip() for w in found[1].split(",") if w.strip().lower() != row["term"].lower()]
            out[row["term"].lower()] = [w for w in others if " " not in w][:2]
    return {word: others for word, others in out.items() if others}


class Pool:
    """Passages of one kind, {text, key, ...}, and the nearest of them to a query."""

    def __init__(self, passages):
        self.passages = passages
        self.search = BM25([p["text"] for p in passages])
        self.terms = {}
        self.by_key = defaultdict(list)
        for i, p in enumerate(passages):
            self.by_key[p["key"]].append(i)

    def words(self, i):
        if i not in self.terms:
            self.terms[i] = set(terms(self.passages[i]["text"]))
        return self.terms[i]

    def negatives(self, query, answers, siblings=()):
        """Texts that do not answer: up to HARD of BM25's and of `siblings`, then EASY by chance; `answers(i)` says what to leave out."""
        found, _ = self.search.top(query, 28, common=6000)
        near = [int(i) for i in found] + [i for i in random.sample(list(siblings), min(4, len(siblings))) if i not in found]
        hard = [i for i in near if not answers(i)]
        if len(hard) > HARD:  # most from the top, some from below
            hard = hard[:6] + random.sample(hard[6:], HARD - 6)
        easy = [i for i in random.sample(range(len(self.passages)), min(3 * EASY, len(self.passages))) if i not in hard and not answers(i)]
        return [self.passages[i]["text"] for i in hard], [self.passages[i]["text"] for i in easy[:EASY]]


def covers(pool, wanted, share):
    """Says of a passage whether it holds at least `share` of the wanted terms."""
    wanted = set(wanted)
    return lambda i: len(wanted & pool.words(i)) >= share * max(len(wanted), 1)


def group(kind, query, answer, negatives):
    hard, easy = negatives
    return {"kind": kind, "query": query, "answer": answer, "hard": hard, "easy": easy}


# Real questions

def question_groups(questions, kind, other_passages=()):
    """questions: {q, p, a, s?, doc, kind}. Passages that hold the answer's words, or most of the answering sentence, are no negatives."""
    texts = {}
    for row in [*questions, *other_passages]:
        texts.setdefault(row["p"], {"text": row["p"], "key": row["doc"] or row["p"]})
    pool = Pool(list(texts.values()))
    for row in questions:
        telling = len(row["a"]) >= (2 if CHINESE.search(row["a"]) else 4) and len(row["a"]) < 60
        sentence = covers(pool, terms(row.get("s") or row["p"]), 0.6)
        span = row["a"].lower()
        answers = lambda i: pool.passages[i]["text"] == row["p"] or sentence(i) or (telling and span in pool.passages[i]["text"].lower())
        siblings = pool.by_key[row["doc"]] if row["doc"] else ()
        yield group(kind, row["q"], row["p"], pool.negatives(row["q"], answers, siblings))


def span_groups(pool, order, kind, limit, words, tries=3):
    """Questions made from a passage's own sentences."""
    count = 0
    for i in order:
        passage = pool.passages[i]
        found = sentences(passage["text"])
        for sentence in random.sample(found, min(tries, len(found))):
            made = span_query(sentence, words)
            if made and count < limit:
                count += 1
                query, span = made
                same = covers(pool, terms(sentence), 0.55)
                answers = lambda j: j == i or same(j)
                yield group(kind, query, passage["text"], pool.negatives(query, answers, pool.by_key[passage["key"]]))
                break


# Pages of documentation

def page_passages(page):
    """Passages of a page: neighbouring paragraphs of one section, up to a random length."""
    title = page["sections"][0][0] or next((h for h, _ in page["sections"] if h), "")
    for number, (heading, paragraphs) in enumerate(page["sections"]):
        text, goal = "", random.choice((150, 300, 600, 900))
        for i, paragraph in enumerate(paragraphs):
            text = f"{text} {paragraph}".strip()
            if len(text) * (3 if page["lang"] == "zh" else 1) >= goal or i + 1 == len(paragraphs):
                if len(text) >= (25 if page["lang"] == "zh" else 70):
                    yield {"text": text[:2400], "heading": heading, "title": title, "lang": page["lang"], "source": page["source"],
                           "section": f"{page['source']}/{page['key']}#{number}", "key": page["source"] + page["key"]}
                text, goal = "", random.choice((150, 300, 600, 900))


def cloze(pool, i, words):
    passage = pool.passages[i]
    found = sentences(passage["text"])
    if len(found) < 2:
        return None
    sentence = random.choice(found)
    query, answer = cloze_query(sentence, words), passage["text"]
    if random.random() < 0.6:
        answer = answer.replace(sentence, " ").strip()
    same = covers(pool, terms(sentence), 0.6)
    return query, answer, lambda j: pool.passages[j]["section"] == passage["section"] or same(j)


def heading(pool, i, by_heading):
    passage = pool.passages[i]
    sections = by_heading[passage["heading"].lower()]
    if not 2 <= len(passage["heading"].strip(" .:?!-")) <= 90 or len(sections) > 3:
        return None
    query, answer = heading_query(passage["heading"], passage["title"]), passage["text"]
    if random.random() < 0.3:
        answer = f"{passage['heading']}. {answer}"
    same = covers(pool, terms(passage["heading"]), 0.8)
    return query, answer, lambda j: pool.passages[j]["section"] in sections or same(j)


def page_groups(pool, order, lang, limit, words):
    by_heading = defaultdict(set)
    for p in pool.passages:
        by_heading[p["heading"].lower()].add(p["section"])
    for kind, make in ((f"heading-{lang}", lambda i: heading(pool, i, by_heading)), (f"cloze-{lang}", lambda i: cloze(pool, i, words))):
        count = 0
        for i in order:
            made = make(i) if count < limit[kind] else None
            if made:
                count += 1
                yield group(kind, made[0], made[1], pool.negatives(made[0], made[2], pool.by_key[pool.passages[i]["key"]]))


def weight(source):
    """Small comes first: how late a source's passages are taken."""
    return 4 if source in ("linux-doc-6.1", "python3.11-doc", "postgresql-doc-15", "sqlite3-doc") else 1


# Names and their descriptions

def named_groups(items, kind, limit, query):
    """items: dictionaries with name and text; the answer to a question about the name is the text."""
    pool = Pool([{"text": x["text"], "key": x["name"]} for x in items])
    for item in random.sample(items, min(limit, len(items))):
        asked = query(item)
        same = covers(pool, terms(item["name"]), 0.99)
        yield group(kind, asked, item["text"], pool.negatives(asked, lambda i: pool.passages[i]["key"] == item["name"] or same(i)))


def package_items(work, wanted, lang="en"):
    seen = Counter()
    for row in rows(work, "packages"):
        text = " ".join(row["paragraphs"])[:1500]
        seen[row["synopsis"]] += 1
        if row["lang"] == lang and len(text) > 60 and part(row["name"]) == wanted and seen[row["synopsis"]] == 1:
            if not re.search(r"-(dev|dbg|doc|data|common|l10n.*|perl|java)$|^lib", row["name"]):
                yield {"name": row["name"], "synopsis": row["synopsis"], "text": text}


def term_items(work):
    for row in rows(work, "terms"):
        text = re.sub(r"\[syn:[^\]]*\]", "", row["text"])[:700]
        if len(text) > 40 and re.fullmatch(r"[A-Za-z][A-Za-z' -]{2,40}", row["term"]):
            yield {"name": row["term"], "text": re.sub(r"^\S{1,4} 1?:", "", text).strip()}


def field_query(item):
    country, field = item["name"].split(": ", 1)
    field = field.split(" - ")[0].lower()
    return random.choice((f"What is the {field} of {country}?", f"{country} {field}", f"tell me about the {field} in {country}"))


# Across languages

def parallel_sections(pages):
    """[(English, Chinese)] as (heading, text, key) of pages that have the same sections in both languages."""
    both = defaultdict(dict)
    for row in pages:
        both[row["source"].replace("-zh-cn", "").replace("-en-us", "").replace("-en", "") + row["key"]][row["lang"]] = row
    for key, page in both.items():
        if len(page) == 2 and len(page["en"]["sections"]) == len(page["zh"]["sections"]):
            for (eh, ep), (zh, zp) in zip(page["en"]["sections"], page["zh"]["sections"]):
                e, z = " ".join(ep)[:1200], " ".join(zp)[:450]
                if CHINESE.search(z) and not CHINESE.search(e[:200]) and len(e) > 40 and 0.1 < len(z) / len(e) < 1:
                    yield (eh, e, key), (zh, z, key)


def asked(heading_text, text, words):
    """A question about a section: its heading, a span, or some of its words."""
    found = sentences(text)
    made = span_query(random.choice(found), words) if found and random.random() < 0.5 else None
    if heading_text and len(heading_text) < 90 and (made is None or random.random() < 0.5):
        return heading_query(heading_text)
    return made[0] if made else cloze_query(random.choice(found or [text]), words)


def across_groups(pairs, kind, limit, ask):
    """pairs: ((heading, text, key), the same in the other language). Each asks in one language for the text in the other; half of
    the negatives are the counterparts of what BM25 finds in the question's own language."""
    pools = [Pool([{"text": p[side][1], "key": p[side][2]} for p in pairs]) for side in (0, 1)]
    for n in range(min(limit, 4 * len(pairs))):
        side, number = n % 2, random.randrange(len(pairs))
        mine, other = pairs[number][side], pairs[number][1 - side]
        query = ask(mine[0], mine[1])
        same = covers(pools[side], terms(mine[1]), 0.7)
        near, _ = pools[side].search.top(query, 10, common=3000)
        hard = [pairs[i][1 - side][1] for i in near if i != number and not same(int(i))][:5]
        easy = [random.choice(pairs) for _ in range(9)]
        # Some negatives are in the question's language: being in the other one proves nothing.
        easy = [p[1 - side if random.random() < 0.8 else side][1] for p in easy if p[side][1] != mine[1]]
        yield group(kind, query, other[1], (hard, easy))


# Held-out sets in BEIR's layout

def write_set(work, name, questions, corpus):
    """questions: (query, index into corpus)."""
    import os
    at = f"{work}/held-out/{name}"
    os.makedirs(f"{at}/qrels", exist_ok=True)
    dump = lambda file, items: open(f"{at}/{file}", "w", encoding="utf-8").writelines(items)
    dump("corpus.jsonl", (json.dumps({"_id": f"p{i}", "title": "", "text": t}, ensure_ascii=False) + "\n" for i, t in enumerate(corpus)))
    dump("queries.jsonl", (json.dumps({"_id": f"q{i}", "text": q}, ensure_ascii=False) + "\n" for i, (q, _) in enumerate(questions)))
    dump("qrels/test.tsv", ["query-id\tcorpus-id\tscore\n"] + [f"q{i}\tp{p}\t1\n" for i, (_, p) in enumerate(questions)])
    print(f"{name}: {len(questions)} questions, {len(corpus)} passages", flush=True)
