import { exampleDocs, loadSections } from "./support/sections.js";

/** Chapters of the manual of an invented backup server, mostly English, one Chinese, and questions that its users ask. */
const CHAPTERS = [
  "restore.md",
  "retention.md",
  "encryption.md",
  "users.md",
  "network.md",
  "alerts.md",
  "zh-restore.md",
  "zh-getting-started.md",
];

const sections = await loadSections(exampleDocs);

/** Each section is a passage: its headings, then its text. */
export const passages: readonly string[] = sections
  .filter(({ file }) => CHAPTERS.includes(file))
  .map(({ title, text }) => `${title}: ${text.replace(/\s*\n\s*/g, " ")}`);

export interface Question {
  text: string;
  /** What is asked in which language, and answered in which. */
  languages: string;
  /** Beginnings of the passages that answer it. */
  answers: readonly string[];
}

export const questions: readonly Question[] = [
  {
    text: "How do I get back a single file that I deleted?",
    languages: "English",
    answers: ["Restoring › One file or folder", "恢复数据 › 恢复单个文件"],
  },
  {
    text: "I can't sign in because I forgot the admin password",
    languages: "English",
    answers: ["Users and sign-in › Forgotten administrator password"],
  },
  {
    text: "For how many months do you keep old backups?",
    languages: "English",
    answers: ["Retention › How long snapshots are kept"],
  },
  {
    text: "Which ports does our firewall have to let through?",
    languages: "English",
    answers: ["Network › Ports and firewalls"],
  },
  {
    text: "硬盘坏了，怎样恢复整台电脑？",
    languages: "Chinese",
    answers: ["恢复数据 › 恢复整台电脑", "Restoring › A whole computer"],
  },
  {
    text: "忘记管理员密码怎么办？",
    languages: "Chinese, answer in English",
    answers: ["Users and sign-in › Forgotten administrator password"],
  },
  {
    text: "备份会保留多长时间？",
    languages: "Chinese",
    answers: ["恢复数据 › 快照保留多久", "Retention › How long snapshots are kept"],
  },
];
