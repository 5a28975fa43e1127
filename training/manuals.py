"""manuals.py WORKDIR: turn the unpacked repositories (fetch_repositories.sh) into plain text, WORKDIR/text/*.jsonl.

manuals.jsonl        {source, key, lang, sections: [[heading, [paragraph, ...]], ...]}; two languages of one page share source and key
manual-pairs.jsonl   {source, en, zh}                     paragraphs and sentences of translation catalogues
faq.jsonl            {q, p, lang, source, key}            headings that are questions, with their section's text;
                     also q_other, p_other                where the page in the other language has the same headings
"""
import collections
import glob
import html
import os
import re
import sys
import zlib

from extract import CJK, clean, from_markdown, from_rst, is_chinese, save

LIMIT = 8_000_000  # bytes of one source and language
# Translations that live in a repository of their own stand under the original's name.
TWINS = {"github-reactjs+zh-hans.react.dev": "github-reactjs+react.dev", "github-vuejs-translations+docs-zh-cn": "github-vuejs+docs",
         "github-docschina+webpack.js.org": "github-webpack+webpack.js.org", "github-KaiserY+trpl-zh-cn": "github-rust-lang+book"}
SKIP = re.compile(r"(?i)changelog|CHANGES|release[-_]?notes?|/releases?/|/versions/|/changes/|code.of.conduct|/licen[sc]es?\b|third.?party|_sidebar|"
                  r"/(SUMMARY|README|AUTHORS|TOC[\w-]*)\.(md|rst)$|self-host/use-dify|/demo/|\.(zh-tw|zh-TW|ja|ko|ru|de|es|fr|it|pt|pt-br|nl|pl|tr|vi|id|uk|ar|el|cs|hu|ro|fa)\.mdx?$")
LANGUAGE = re.compile(r"(?<![A-Za-z])i18n/zh(-CN)?/docusaurus-plugin-content-docs/(?=current/|version-3/)|(?<=[/.])(en-US|en_US|en|zh-CN|zh_CN|zh-cn|zh_cn|zh-Hans|zh)(?=[/._])")
ESCAPED = {"_": "\ue000", "*": "\ue001", "`": "\ue002", "[": "\ue003", "]": "\ue004", "#": "\ue005"}
RESTORE = {ord(v): k for k, v in ESCAPED.items()}
JUNK = re.compile(r"=>|className=|\{\{|\}\}|</|/>|^\s*(import|export|const|let|var) |;\s*$|\$\(|==|^[\w.-]+\s*[:=]\s*\S+$|^\$ |\\[a-zA-Z]{2,}|^\[\w{6,12}\]|\b[\w-]+:: |^(curl|sudo|npm|yarn|docker|kubectl|git) ")


def guard(text):
    return "".join(ESCAPED.get(c, c) for c in text)


def front_matter(page):
    """The page without its front matter, and the title in it."""
    found = re.match(r"(?s)(---|\+\+\+)[ \t]*\n(.*?)\n\1[ \t]*(\n|$)", page)
    if not found:
        return page, ""
    title = re.search(r"""(?m)^title\s*[:=]\s*["']?(.*?)["']?\s*$""", found[2])
    return page[found.end():], title[1] if title else ""


def markdown(page):
    """Markdown of any dialect to [(is_heading, text)]: what is not text goes, then extract.py's reader."""
    page = page.lstrip("\ufeff").replace("\r\n", "\n")
    page, title = front_matter(page)
    page = re.sub(r"(?s)<!--.*?-->|\{/\*.*?\*/\}|%%.*?%%", "", page)
    page = re.sub(r"(?ms)^[ \t>]*(?:[-*] |\d+\. )?[ \t]*(`{3,}|~{3,})[^\n]*\n.*?^[ \t>]*\1`*[ \t]*$", "\n", page)
    page = re.sub(r"(?ms)^[ \t]*(`{3,}|~{3,})(?=[^`\n]*\n).*\Z", "", page)
    page = re.sub(r"\[!\[.*?\]\(.*?\)\]\(.*?\)", "", page)
    page = re.sub(r"(?<!`)(`{1,2})(?!`)([^`\n]+?)\1(?!`)", lambda m: guard(html.escape(m[2].strip(), quote=False)), page)
    page = re.sub(r"(?is)<(script|style|svg|table|pre|video|iframe|details-code|figure)\b[^>]*>.*?</\1>", "\n", page)
    page = re.sub(r"\{\{[<%].*?[%>]\}\}|\{%.*?%\}|\{\{.*?\}\}", " ", page, flags=re.S)
    page = re.sub(r"(?m)[ \t]*\{:?[#.][^{}\n]*\}|\{:[^{}\n]*\}", "", page)
    page = re.sub(r"(?s)\$\$.*?\$\$", " ", page)
    page = re.sub(r"(?m)^(import|export) .*$", "", page)
    page = re.sub(r"(?s)<[A-Za-z][\w.]*(\s+[\w:@.#-]+(=(\"[^\"]*\"|'[^']*'|\{[^{}]*(\{[^{}]*\}[^{}]*)*\}|[^\s>\"'{]+))?)*\s*/?>|</[A-Za-z][\w.]*>",
                  lambda m: "\n\n" if re.match(r"</?([A-Z]|div|p\b|summary|details|h\d|li|ul|ol|td|tr|br)", m[0]) else "", page)
    page = re.sub(r"(?<![\w:]):[a-z][\w+-]{2,}:(?!\w)", "", page.replace("{IDF_TARGET_NAME}", "ESP32"))
    page = re.sub(r"\$(?=\S)([^$\n\\]{1,60}?)(?<=\S)\$(?!\d)", r" \1 ", page)
    lines = []
    for line in page.split("\n"):
        line = re.sub(r"(?<!\\)\\$", "", line).strip()
        quote = re.sub(r"^[-*+] +(?:\[[ xX]\] +)?", "- ", re.sub(r"^(> ?)+", "", line))
        asked = re.match(r"""[?!]{3}\+? *\w* *"(.*)"$""", quote)
        if asked:
            quote = "\n#### " + asked[1] if is_question(asked[1]) else "\n"
        elif re.match(r":{2,}|\[!\w+\]|[?!]{3}\+? |\[[^\]]+\]: ?\S|\[\^[^\]]+\]:|={3} \"|-{3,}\s*$|\*{3,}\s*$|_{3,}\s*$|\|.*|@\w+|\[\[?toc\]?\]", quote, re.I) or quote.count("|") > 2:
            quote = "\n"
        elif re.match(r"={3,}$|-{3,}$", line) and lines and lines[-1].strip() and len(lines[-1]) < 100:
            lines[-1], quote = "\n## " + lines[-1], "\n"
        else:
            strong = re.match(r"(?:[-*] |\d+[.)] )?(?:\*\*|__)(.{5,120}?)(?:\*\*|__)[:：]?$", quote)
            letter = re.match(r"(?:[-*] |\d+[.)] )?(?:\*\*|__)?(?:Q|问|Question)\s*\d*\s*[:：.]\s*(.{5,150}?)(?:\*\*|__)?$", quote)
            answer = re.match(r"(?:\*\*|__)?(?:A|答|Answer)\s*\d*\s*[:：](?:\*\*|__)?\s*(.*)", quote)
            if (strong and is_question(strong[1])) or letter:
                quote = "\n#### " + (letter or strong)[1].strip("*_ ") + "\n"
            elif answer:
                quote = answer[1]
        # A heading ends where its line ends.
        lines.append(("\n" + quote + "\n") if quote.startswith("#") else quote)
    page = "\n".join(lines)
    page = re.sub(r"\[\^[^\]]*\]", "", page)
    page = re.sub(r"\[([^\[\]\n]+)\]\[[^\]\n]*\]", r"\1", page)
    page = re.sub(r"!\[[^\]]*\]\([^)]*\)", "", page)
    page = re.sub(r"\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\((?:[^()]|\([^()]*\))*\)", lambda m: m[1], page)
    page = re.sub(r"\[\[([^\[\]|]*\|)?([^\[\]]*)\]\]", r"\2", page)
    page = re.sub(r"<(https?://|mailto:)[^>\s]*>", "", page)
    page = re.sub(r"\\([\\`*_{}\[\]()#+\-.!<>|$~\"])", lambda m: guard(html.escape(m[1], quote=False)), page)
    page = re.sub(r"(?<=\w)_(?=\w)", ESCAPED["_"], page)
    page = re.sub(r"~~|==(?=\S)|(?<=\S)==", "", page)
    page = re.sub(r"(\*{1,3})(?=\S)([^*\n]+?)\1", r"\2", page)
    blocks = [(heading, text.translate(RESTORE)) for heading, text in from_markdown("\n" + page)]
    return ([(True, clean(title))] if title and not (blocks and blocks[0] == (True, clean(title))) else []) + blocks


def inline(text):
    """reStructuredText's inline marks taken away."""
    text = re.sub(r":[\w:+-]+:`!?~?([^`<]*?)\s*(?:<[^`>]*>)?`", r"\1", text)
    text = re.sub(r"`([^`<]*?)\s*<[^`>]*>`_{0,2}", r"\1", text)
    text = re.sub(r"`([^`]+)`_{1,2}", r"\1", text)
    text = re.sub(r"\[#?[\w-]*\]_|\|[^|\s][^|]*\|_{0,2}", "", text)
    text = re.sub(r"\*{1,2}(?=\S)([^*\n]+?)\*{1,2}", r"\1", text)
    return re.sub(r"(?<=\w)_{1,2}(?=\W|$)|``|`", "", re.sub(r"``([^`]+)``", r"\1 ", text)).replace("\\ ", "").replace("\\", "")


def rst(page):
    page = page.lstrip("\ufeff").replace("\r\n", "\n")
    page = re.sub(r"(?ms)^([ \t]*)\.\. (code|code-block|sourcecode|list-table|csv-table|table|image|figure|toctree|math|parsed-literal|raw|literalinclude|index|only|highlight|replace)::.*?(?=^(?!\1[ \t])[^\n]*\S)", "", page)
    page = re.sub(r"(?m)^([ \t]*)\.\. (note|warning|tip|important|attention|hint|caution|danger|seealso|admonition|versionadded|versionchanged|deprecated)::.*$", "\n", page)
    page = re.sub(r"(?ms)::[ \t]*\n[ \t]*\n((?:[ \t]+[^\n]*\n|[ \t]*\n)+)", ":\n\n", page)
    page = re.sub(r"(?m)^\.\. .*(\n[ \t]+\S.*)*|^[ \t]*:[\w -]+:.*$|^[ \t]*[+|].*$", "", page)
    # Overlined titles lose the upper line.
    page = re.sub(r"(?m)^([=\-~^#*\"'`.+])\1{3,}[ \t]*\n(?=[^\n]+\n\1{4,}[ \t]*$)", "", page)
    lines = page.split("\n")
    out = []
    for i, line in enumerate(lines):
        if re.fullmatch(r"([=\-~^#*\"'`.+:])\1{2,}\s*", line) and i and lines[i - 1].strip() and not lines[i - 1].startswith((" ", "\t")):
            out[-1] = "\n\n" + inline(out[-1])
            out.append("=" * 8 + "\n\n")
        elif re.match(r"={2,}( +={2,})+", line):
            out.append("")
        elif re.match(r"\s*([-*•]|#\.|\d+[.)])\s+", line):
            out.append("\n" + re.sub(r"^\s*([-*•]|#\.|\d+[.)])\s+", "", line))
        else:
            out.append(line.strip())
    page = "\n".join(out)
    blocks = []
    for heading, text in from_rst("\n\n".join(b if "====" in b else inline(b) for b in re.split(r"\n\s*\n", page))):
        text = re.sub(r"^[-*] ", "", text)
        blocks.append((heading or (is_question(text) and len(text) < 160), text))
    return blocks


READERS = {".md": markdown, ".mdx": markdown, ".rst": rst}


def is_question(text):
    text = text.strip()
    if CJK.search(text):
        asks = re.search(r"如何|怎么|怎样|为什么|为何|为啥|是否|哪些|哪个|哪里|什么|多少|多久|多大|吗|能否|可否|能不能|可不可以|几[个种]", text)
        return 6 <= len(text) <= 90 and bool(asks) and bool(re.search(r"[?？]$|^(如何|怎么|怎样|为什么|为何|是否|能否)|吗$", text))
    asks = re.match(r"(?i)(?:\W*(?:\w+,)? *)(how|why|what|when|where|which|who|can|could|is|are|do|does|did|should|will|would|has|have|may|am|i |my |if |in |on |after|the )", text)
    sure = re.match(r"(?i)(how (do|can|does|should|to)|can i|why (does|do|is|are|can)|what (is|are)|where (do|can|is|are)) ", text)
    return 12 <= len(text) <= 150 and len(text.split()) > 2 and (bool(sure) or bool(asks) and text.endswith("?"))


def good(text):
    letters = sum(c.isalpha() or c == " " for c in text)
    links = sum(len(u) for u in re.findall(r"https?://\S+", text))
    return letters > 0.7 * len(text) and links < 0.35 * len(text) and text.count(" | ") < 2 and not JUNK.search(text) and (CJK.search(text) or len(text.split()) > 2)


def divide(blocks):
    """[[heading, [paragraph, ...]], ...] with the empty sections, so that two languages can be laid side by side."""
    out = [["", []]]
    for heading, text in blocks:
        text = re.sub(r"\s*https?://\S{60,}", "", text.replace("{IDF_TARGET_NAME}", "ESP32"))
        text = re.sub(r"^[WT?!]> |\{ ?[.:#][^{}]*\}|\*\*(?=\S.*\*\*)|(?<=\S)\*\*$|`", "", text)
        text = re.sub(r"^(?:[。，、；：:!！·•—–>|+]|-(?= ))+\s*|^\.(?= )", "", text.strip())
        if heading:
            out.append([re.sub(r"^[\d.]+\s+|^第\s*\d+\s*[章节]\.?\s*", "", text).strip(" #"), []])
        elif (12 if not CJK.search(text) else 6) <= len(text) <= 4000 and good(text):
            out[-1][1].append(text)
    return out


def files(src):
    """The unpacked files of the repositories in the list, and of no others."""
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "repositories.tsv"), encoding="utf-8") as f:
        names = [line.split("\t")[0].replace("/", "+") for line in f][1:]
    return (path for name in sorted(names) for path in sorted(glob.glob(f"{src}/github-{name}/**/*", recursive=True)))


def pages(src):
    for path in files(src):
        kind = os.path.splitext(path)[1]
        relative = os.path.relpath(path, src)
        if kind not in READERS or SKIP.search(relative) or not os.path.isfile(path):
            continue
        with open(path, encoding="utf-8", errors="replace") as f:
            found = divide(READERS[kind](f.read()))
        text = " ".join(p for s in found for p in s[1])
        if len(text) > 80:
            source, key = relative.split("/", 1)
            lang = "zh" if is_chinese(text) else "en"
            key = LANGUAGE.sub("*", "/" + key)[1:]
            key = re.sub(r"^(docs|current|versioned_docs/version-3|version-3)/", "", re.sub(r"\.\*(?=\.)|\*/?(?=[\w.])", "", key)) if not source.startswith("github-pingcap") else key
            yield {"source": TWINS.get(source, source), "key": re.sub(r"\.(mdx?|rst)$", "", key), "lang": lang, "sections": found}


def choose(rows):
    """At most LIMIT bytes a source and language, the same keys in both; what many pages of a source say goes,
    and pages that repeat what was there already."""
    rows, spent, seen = list(rows), collections.Counter(), set()
    often = collections.Counter((r["source"], p) for r in rows for p in {p for s in r["sections"] for p in s[1]})
    for row in sorted(rows, key=lambda r: (r["source"], zlib.crc32(r["key"].encode()), r["lang"])):
        for section in row["sections"]:
            section[1] = [p for p in section[1] if often[row["source"], p] < 6]
        texts = [p for s in row["sections"] for p in s[1]]
        size = sum(len(t.encode()) for t in texts)
        known = sum(len(t.encode()) for t in texts if hash(t) in seen)
        place = row["source"], row["lang"]
        if size > 80 and known < 0.6 * size and spent[place] + size <= LIMIT:
            spent[place] += size
            seen.update(hash(t) for t in texts)
            yield row


def questions(rows):
    often = collections.Counter(s[0].lower() for r in rows for s in r["sections"])
    by_page = collections.defaultdict(dict)
    for row in rows:
        by_page[row["source"], row["key"]][row["lang"]] = row["sections"]
    for (source, key), found in by_page.items():
        both = len(found) == 2 and len(found["en"]) == len(found["zh"])
        for lang, parts in found.items():
            other = found["zh" if lang == "en" else "en"] if both else None
            for i, (heading, paragraphs) in enumerate(parts):
                p = whole(paragraphs)
                if is_question(heading) and len(p) >= 40 and not (len(p) < 150 and p[-1] in ":：") and often[heading.lower()] < 4:
                    entry = {"q": heading, "p": p, "lang": lang, "source": source, "key": key}
                    if other and len(whole(other[i][1])) >= 20 and 0.15 < len(whole(other[i][1])) / len(p) < 7:
                        entry |= {"q_other": other[i][0], "p_other": whole(other[i][1])}
                    yield entry


def whole(paragraphs):
    """The paragraphs together, as many as 2000 characters hold."""
    out = ""
    for p in paragraphs:
        if len(out) + len(p) > 2000:
            break
        out += (" " if out else "") + p
    return out or "".join(paragraphs)[:2000]


def catalogues(src):
    """Entries of .po files: msgid and msgstr, each a run of quoted strings."""
    for path in (p for p in files(src) if p.endswith(".po")):
        with open(path, encoding="utf-8", errors="replace") as f:
            entries = f.read().split("\n\n")
        for entry in entries:
            found = re.search(r'(?ms)^msgid ((?:"[^\n]*"\s*)+)^msgstr ((?:"[^\n]*"\s*)+)', entry + "\n")
            if not found or re.search(r"(?m)^#,.*fuzzy", entry):
                continue
            en, zh = (clean(html.escape(inline("".join(re.findall(r'"(.*)"', part)).replace('\\n', " ").replace('\\"', '"').replace("\\\\", "\\")), quote=False))
                      for part in found.groups())
            if 20 <= len(en) <= 1200 and 6 <= len(zh) <= 1200 and is_chinese(zh) and good(en):
                yield {"source": os.path.relpath(path, src).split("/")[0], "en": en, "zh": zh}


def main(work):
    src = f"{work}/src"
    rows = list(choose(pages(src)))
    save(work, "faq", questions(rows))
    save(work, "manuals", ({**r, "sections": [s for s in r["sections"] if s[1]]} for r in rows))
    save(work, "manual-pairs", catalogues(src))
    for lang in ("en", "zh"):
        print(lang, sum(len(p.encode()) for r in rows if r["lang"] == lang for s in r["sections"] for p in s[1]) / 1e6, "MB")


if __name__ == "__main__":
    main(sys.argv[1])
