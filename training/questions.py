"""Turn headings, sentences and names into queries as people type them, in English and Chinese."""
import random
import re

from bm25 import terms

CHINESE = re.compile("[\u3400-\u9fff]")
VERBS = set("""add adjust allow apply archive assign attach back build change check choose clean clear close combine compare
configure connect control convert copy correct create customize customise cut define delete deploy disable display download
draw edit enable encrypt enter exclude export filter find fix force format get give go group hide import improve include
insert install join keep launch let limit link list load lock log make manage mark mount move open organize pair paste pick
play prepare prevent print protect read record recover reduce refresh register remove rename repair replace reset resize
restart restore resume retrieve rotate run save scan schedule search secure see select send set share show shut sign sort
specify split start stop store switch sync take test transfer translate turn uninstall unlock update upgrade upload use
verify view work write zoom""".split())
CHINESE_VERB = re.compile("^(添加|设置|更改|修改|安装|卸载|使用|创建|新建|删除|移除|配置|启用|禁用|打开|关闭|导入|导出|备份|恢复|还原|查找|"
                          "搜索|选择|插入|复制|移动|编辑|打印|连接|共享|发送|接收|保存|更新|升级|重置|管理|查看|显示|隐藏|启动|停止|运行|调整|"
                          "格式化|转换|编写|提交|获取|构建|编译|调试|测试|检查|定义|应用|加载|挂载|登录|注册|加密|压缩|排序|筛选|合并|拆分|自定义)")
STOP = set("""a an the of to in on for and or is are was were be been it its this that these those as by with at from you your we
our they their he she his her i can will may if not no so do does did has have had which who whom than then there here when
also such into but about only more most some any all each other one""".split())


def pick(*choices):
    return random.choice(choices)


def heading_query(heading, title=""):
    """A question (or search words) whose answer stands under the heading; title, the page's, gives the topic."""
    text = heading.strip(" .:：。?？")
    if CHINESE.search(text):
        if title and CHINESE.search(title) and len(text) < 5:
            text = f"{title} {text}"
        if text.startswith(("如何", "怎样", "怎么", "什么", "为什么")) or text.endswith("吗"):
            return text + pick("？", "")
        if CHINESE_VERB.match(text):
            return pick("如何{}？", "怎么{}？", "怎样{}", "我想{}，该怎么做？", "{}的方法", "{}").format(text)
        return pick("什么是{}？", "{}是什么", "{}", "{}", "请介绍{}", "关于{}", "{}怎么用？").format(text)
    words = text.split()
    if not words:
        return heading
    first = words[0].lower()
    if title and len(words) < 3 and not CHINESE.search(title) and random.random() < 0.7:
        text = pick(f"{title} {text}", f"{text} {title}", f"{text} in {title}")
    if first in ("how", "what", "why", "when", "where", "who", "can", "is", "which", "do", "does"):
        return text + pick("?", "")
    if first in VERBS:
        text = re.sub(r"\byour\b", "my", text[0].lower() + text[1:])
        return pick("How do I {}?", "how to {}", "How can I {}?", "how do you {}", "I want to {}", "{}", "what is the way to {}?").format(text)
    return pick("What is {}?", "what is {}", "{}", "{}", "tell me about {}", "explain {}", "{} meaning", "where do I find {}?").format(text)


def name_query(name):
    """A question about a thing by its name."""
    if CHINESE.search(name):
        return pick("什么是{}？", "{}是什么？", "{}", "{}是什么意思", "介绍一下{}").format(name)
    return pick("What is {}?", "what is {}?", "what does {} mean", "{}", "define {}", "what are {}", "who or what is {}?").format(name)


def sentences(text):
    """Sentences of a paragraph that are long enough to ask about."""
    parts = re.split(r"(?<=[.!?])\s+(?=[A-Z])|(?<=[。！？；])", text)
    return [p for p in parts if 6 <= sum(1 for _ in terms(p)) <= 60]


def cloze_query(sentence, synonyms):
    """Some of the sentence's words in their order, as a question: the paragraph it came from is the answer."""
    if CHINESE.search(sentence):
        parts = [p for p in re.split(r"[，、：；,。！？\s（）()“”\"]+", sentence) if p]
        kept = [p for p in parts if random.random() < 0.6] or [random.choice(parts)]
        text = "".join(trim(p) for p in kept)[:random.randint(8, 30)]
        return pick("{}", "{}？", "什么{}？", "{}是什么？", "如何{}？", "为什么{}？", "哪些{}？", "{}怎么办？").format(text)
    words = [w.strip(",;:()\"'.") for w in sentence.split()]
    keep = random.uniform(0.35, 0.9)
    kept = [w for w in words if w and random.random() < (keep * 0.5 if w.lower() in STOP else keep)][:random.randint(3, 14)]
    kept = [random.choice(synonyms[w.lower()]) if w.lower() in synonyms and random.random() < 0.15 else w for w in kept]
    text = " ".join(kept or words[:6])
    return pick("{}", "{}?", "what {}?", "What is {}?", "how {}?", "How do {}?", "which {}?", "why {}?", "when {}?").format(text)


def trim(part):
    """A Chinese clause, sometimes cut at one end."""
    if len(part) > 8 and random.random() < 0.5:
        cut = random.randint(2, len(part) - 5)
        return pick(part[cut:], part[:-cut])
    return part
