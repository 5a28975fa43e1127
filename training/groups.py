"""groups.py WORKDIR: training groups (a query, its answer, 7 others) and held-out sets in BEIR's layout."""
import json
import os
import random
import re
import sys
import zlib
from collections import Counter, defaultdict

from bm25 import BM25, terms
from questions import CHINESE, cloze_query, heading_query, name_query, sentences

LIMIT = {"cloze-en": 20000, "cloze-zh": 14000, "heading-en": 9000, "heading-zh": 5000, "package": 7000, "term": 5000,
         "factbook": 2500, "dictionary": 4000, "parallel": 7000, "pages": 8000}
HELD_OUT = 4  # per cent of pages, packages and sentence pairs


def rows(work, name):
    with open(f"{work}/text/{name}.jsonl", encoding="utf-8") as f:
        yield from map(json.loads, f)


def held_out(key):
    return zlib.crc32(("held out " + key).encode()) % 100 < HELD_OUT


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
                           "section": f"{page['key']}#{number}", "key": page["key"]}
                text, goal = "", random.choice((150, 300, 600, 900))


def synonyms(work):
    """The first sense's synonyms of each WordNet word."""
    out = {}
    for row in rows(work, "terms"):
        found = re.search(r"\[syn: ([^\]]+)\]", row["text"])
        if row["source"] == "dict-wn" and found:
            others = [w.strip() for w in found[1].split(",") if w.strip().lower() != row["term"].lower()]
            out[row["term"].lower()] = [w for w in others if " " not in w][:2]
    return {word: others for word, others in out.items() if others}


class Maker:
    """Collects groups of one kind of passages, with negatives from BM25 and by chance."""

    def __init__(self, passages):
        self.passages = passages
        self.texts = [p["text"] for p in passages]
        self.search = BM25(self.texts)
        self.terms = {}

    def words(self, i):
        if i not in self.terms:
            self.terms[i] = set(terms(self.texts[i]))
        return self.terms[i]

    def negatives(self, query, answer_terms, taken, coverage, hard=4, total=7):
        """Passages that do not answer: not from a taken section, and holding under `coverage` of the answer's own terms."""
        chosen = []
        found, _ = self.search.top(query, 30, common=6000)
        found = list(found[:12]) + random.sample(list(found[12:]), min(4, len(found[12:])))
        random.shuffle(found)
        for i in found + [random.randrange(len(self.texts)) for _ in range(3 * total)]:
            same = self.passages[i]["section"] in taken or i in chosen
            if not same and len(answer_terms & self.words(i)) < coverage * len(answer_terms):
                chosen.append(i)
            if len(chosen) == (hard if i in found else total):
                break
        while len(chosen) < total:
            i = random.randrange(len(self.texts))
            if self.passages[i]["section"] not in taken:
                chosen.append(i)
        return [self.texts[i] for i in chosen]


def group(kind, query, answer, negatives):
    return {"kind": kind, "query": query, "answer": answer, "negatives": negatives}


def cloze(maker, passage, other, kind):
    found = sentences(passage["text"])
    if len(found) < 2:
        return None
    sentence = random.choice(found)
    query = cloze_query(sentence, other)
    answer = passage["text"]
    if random.random() < 0.6:
        answer = answer.replace(sentence, " ").strip()
    return group(kind, query, answer, maker.negatives(query, set(terms(sentence)), {passage["section"]}, 0.6))


def heading(maker, passage, kind, by_heading):
    if not 2 <= len(passage["heading"]) <= 70 or len(by_heading[passage["heading"].lower()]) > 3:
        return None
    query = heading_query(passage["heading"], passage["title"])
    answer = passage["text"]
    if random.random() < 0.3:
        answer = f"{passage['heading']}. {answer}"
    return group(kind, query, answer, maker.negatives(query, set(terms(passage["heading"])), by_heading[passage["heading"].lower()], 0.8))


def page_groups(passages, lang, words):
    mine = [p for p in passages if p["lang"] == lang]
    by_heading = defaultdict(set)
    for p in mine:
        by_heading[p["heading"].lower()].add(p["section"])
    maker = Maker(mine)
    # Half of each kind from the sources that speak of everyday tasks, however small they are.
    order = sorted(range(len(mine)), key=lambda i: random.random() * weight(mine[i]["source"]))
    for kind, make in ((f"heading-{lang}", lambda p: heading(maker, p, f"heading-{lang}", by_heading)),
                       (f"cloze-{lang}", lambda p: cloze(maker, p, words, f"cloze-{lang}"))):
        count = 0
        for i in order * 4:
            made = make(mine[i]) if count < LIMIT[kind] else None
            if made:
                count += 1
                yield made


def weight(source):
    """Small comes first: how late a source's passages are taken."""
    return 4 if source in ("linux-doc-6.1", "python3.11-doc", "postgresql-doc-15", "sqlite3-doc") else 1


def named_groups(items, kind, query, hard=3):
    """items: dictionaries with name and text; the answer to a question about the name is the text."""
    maker = Maker([{"text": x["text"], "section": x["name"]} for x in items])
    for item in random.sample(items, min(LIMIT[kind], len(items))):
        asked = query(item)
        yield group(kind, asked, item["text"], maker.negatives(asked, set(terms(item["name"])) or {asked}, {item["name"]}, 0.99, hard))


def package_items(work, wanted, lang="en"):
    seen = Counter()
    for row in rows(work, "packages"):
        text = " ".join(row["paragraphs"])[:1500]
        seen[row["synopsis"]] += 1
        if row["lang"] == lang and len(text) > 60 and held_out(row["name"]) == wanted and seen[row["synopsis"]] == 1:
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


def both_ways(items, kind, random_count=7):
    """items: (English, Chinese) texts; each asks for the other among others of the answer's language."""
    for i, pair in enumerate(random.sample(items, min(LIMIT[kind], len(items)))):
        query, answer = pair if i % 2 else pair[::-1]
        side = 1 if i % 2 else 0
        others = [random.choice(items) for _ in range(random_count)]
        negatives = [o[side] if random.random() < 0.85 else o[1 - side] for o in others if o != pair]
        if len(negatives) == 7:
            yield group(kind, query, answer, negatives)


def parallel_sections(work):
    """[(English section, Chinese section)] as (heading, text, key) of pages that have the same sections in both languages."""
    pages = defaultdict(dict)
    for row in rows(work, "docs"):
        pages[row["source"].replace("-zh-cn", "").replace("-en-us", "").replace("-en", "") + row["key"]][row["lang"]] = row
    for key, both in pages.items():
        if len(both) == 2 and len(both["en"]["sections"]) == len(both["zh"]["sections"]):
            for (eh, ep), (zh, zp) in zip(both["en"]["sections"], both["zh"]["sections"]):
                e, z = " ".join(ep)[:900], " ".join(zp)[:350]
                if CHINESE.search(z) and len(e) > 40 and 0.1 < len(z) / len(e) < 1:
                    yield (eh, e, both["en"]["key"]), (zh, z, both["zh"]["key"])


def page_pairs(found, words):
    """English and Chinese questions with the section in the other language as the answer."""
    out = []
    for (eh, e, _), (zh, z, _) in found:
        asked_en = heading_query(eh) if eh and random.random() < 0.6 else cloze_query(random.choice(sentences(e) or [e]), words)
        asked_zh = heading_query(zh) if zh and random.random() < 0.6 else cloze_query(random.choice(sentences(z) or [z]), words)
        out.append((asked_en, e, asked_zh, z))
    return out


def cross_page_groups(pairs):
    for i in range(min(LIMIT["pages"], 3 * len(pairs))):
        asked_en, e, asked_zh, z = random.choice(pairs)
        query, answer, side = (asked_en, z, 3) if i % 2 else (asked_zh, e, 1)
        others = [random.choice(pairs) for _ in range(7)]
        negatives = [o[side if random.random() < 0.8 else 4 - side] for o in others if o[1] != e]
        if len(negatives) == 7:
            yield group("pages", query, answer, negatives)


def write_set(work, name, questions, corpus):
    """questions: (query, index into corpus)."""
    at = f"{work}/held-out/{name}"
    os.makedirs(f"{at}/qrels", exist_ok=True)
    dump = lambda file, items: open(f"{at}/{file}", "w", encoding="utf-8").writelines(items)
    dump("corpus.jsonl", (json.dumps({"_id": f"p{i}", "title": "", "text": t}, ensure_ascii=False) + "\n" for i, t in enumerate(corpus)))
    dump("queries.jsonl", (json.dumps({"_id": f"q{i}", "text": q}, ensure_ascii=False) + "\n" for i, (q, _) in enumerate(questions)))
    dump("qrels/test.tsv", ["query-id\tcorpus-id\tscore\n"] + [f"q{i}\tp{p}\t1\n" for i, (_, p) in enumerate(questions)])
    print(f"held out {name}: {len(questions)} questions, {len(corpus)} passages", flush=True)
