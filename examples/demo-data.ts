/** Passages of a travel guide to Sichuan, as a bilingual assistant would have them, and questions that travellers ask. */

export const passages: readonly string[] = [
  "Bamboo makes up almost the entire diet of the giant panda. An adult takes in 12 to 38 kilograms of it a day, mostly shoots and leaves, because it digests only a small part.",
  "The Chengdu Research Base of Giant Panda Breeding lies about ten kilometres north of the city centre. Come before nine in the morning: the animals are active while they are fed and sleep through the warm hours.",
  "Giant pandas live in the mountains of Sichuan, Shaanxi and Gansu, mostly above 1,200 metres. The fourth national survey counted 1,864 animals in the wild.",
  "Red pandas are not closely related to giant pandas. They are hardly larger than a house cat, have a ringed tail, and eat berries, eggs and insects besides bamboo.",
  "Metro line 18 runs from Tianfu International Airport to the South Railway Station, where you can change to line 1 for the centre. Late at night take the shuttle bus or a taxi.",
  "Shuangliu, the older airport, lies sixteen kilometres southwest of the centre. A taxi takes half an hour when the roads are clear; metro line 10 stops at both terminals.",
  "Citizens of many countries may enter China without a visa for short stays. Check with the embassy before you book, since the list changes often.",
  "The Leshan Giant Buddha was carved out of a cliff between 713 and 803. It is 71 metres tall and sits where three rivers meet; the monk Haitong began it to calm the waters that sank boats.",
  "Mount Emei is the highest of China's four sacred Buddhist mountains: 3,099 metres. A cable car goes up to the Golden Summit; monkeys on the paths steal food out of open bags.",
  "Sichuan cooking is known for mala, the mix of chilli heat and the numbing tingle of Sichuan pepper. Ask for wei la if you would like it mild.",
  "Tap water is not safe to drink without boiling. Hotels put a kettle and bottled water into every room.",
  "Chengdu has mild winters with little sun, and humid summers. The best months to visit are March to June and September to November.",
  "Cash is rarely needed. Most shops and taxis take Alipay or WeChat Pay, and both apps accept foreign credit cards.",
  "In Sichuan opera the performers change their painted masks in a fraction of a second, an art called bian lian. How they do it is handed down as a secret.",
  "都江堰由战国时期秦国蜀郡太守李冰父子主持修建，始建于公元前256年左右，两千多年来一直灌溉着成都平原。",
  "成都人喜欢泡茶馆。人民公园的鹤鸣茶社已有百年历史，一碗盖碗茶可以坐一个下午，还能请师傅掏耳朵。",
  "四川火锅以牛油、辣椒和花椒熬成红汤，毛肚、鸭肠烫十几秒就能吃。怕辣的人可以点鸳鸯锅，一半是清汤。",
  "从成都东站乘高铁到重庆大约一个多小时，到西安大约四个小时。车票可以在12306网站购买，需要护照号码。",
  "九寨沟以彩色的湖泊和瀑布闻名，海拔两千到三千多米。第一次上高原的游客应当放慢脚步，多喝水，头痛得厉害就尽快下山。",
  "成都地铁的运营时间大约从早上六点到晚上十一点。可以用支付宝乘车码进站，身高一米三以下的儿童免费。",
  "2008年5月12日，汶川发生8.0级地震，造成重大伤亡。北川老县城的废墟保留了下来，作为地震遗址供人凭吊。",
  "三星堆遗址位于广汉，出土了青铜面具、青铜神树和金杖，距今三千多年。新馆于2023年开放，建议提前在网上预约门票。",
  "大熊猫每年春季发情，孕期三到五个月，一胎通常一到两只。幼崽出生时只有一百克左右，比一个苹果还轻。",
];

export interface Question {
  text: string;
  /** What is asked in which language, and answered in which. */
  languages: string;
  /** Beginnings of the passages that answer it. */
  answers: readonly string[];
}

export const questions: readonly Question[] = [
  { text: "What do pandas eat?", languages: "English", answers: ["Bamboo makes up"] },
  {
    text: "How do I get from the airport into the city?",
    languages: "English",
    answers: ["Metro line 18", "Shuangliu"],
  },
  { text: "都江堰是谁修的？", languages: "Chinese", answers: ["都江堰"] },
  {
    text: "我不能吃辣，怎么办？",
    languages: "Chinese, one answer in English",
    answers: ["四川火锅", "Sichuan cooking"],
  },
  {
    text: "How long does the train to Chongqing take?",
    languages: "English, answer in Chinese",
    answers: ["从成都东站"],
  },
  { text: "乐山大佛有多高？", languages: "Chinese, answer in English", answers: ["The Leshan Giant Buddha"] },
];
