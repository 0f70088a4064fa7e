/** Made by `python -m tests.support.audit_words`: the words that the record and its pages are made of. */

interface Words {
  readonly zh: string;
  readonly en: string;
}

type Table = { readonly [key: string]: Words };

export const ROLES: Table = {
  "public": { zh: "公众", en: "public" },
  "bidder": { zh: "投标人", en: "bidder" },
  "host": { zh: "主持人", en: "host" },
  "deputy": { zh: "备岗", en: "deputy" },
  "supervisor": { zh: "监督人", en: "supervisor" },
  "clock": { zh: "系统", en: "the hall" },
};

export const CAUSES: Table = {
  "B1": { zh: "投标人未到场或未尝试解密", en: "the bidder was absent or never tried" },
  "B2": { zh: "证书或密钥不对", en: "wrong certificate or key" },
  "B3": { zh: "证书过期或已换发", en: "certificate expired or re-issued" },
  "B4": { zh: "口令错误或证书锁定", en: "wrong password, or certificate locked" },
  "B5": { zh: "投标人掉线，同时他人连接正常", en: "the bidder was offline while others reached the hall" },
  "B6": { zh: "文件在封装时已损坏", en: "the file was damaged when it was sealed" },
  "P1": { zh: "开标厅故障", en: "a fault of the hall" },
  "P2": { zh: "存储的文件与回执不符", en: "the stored file no longer matches its receipt" },
  "P3": { zh: "证书服务中断", en: "the certificate service was down" },
  "P4": { zh: "按时送达而未及时处理", en: "arrived in time and was not served in time" },
  "P5": { zh: "缺少招标人密钥", en: "the tenderer's key was missing" },
  "X1": { zh: "公共网络故障", en: "failure of the public network" },
  "X2": { zh: "不可抗力", en: "force majeure" },
  "unknown": { zh: "原因待认定", en: "cause to be ruled on" },
};

export const CONSEQUENCES: Table = {
  "revoked": { zh: "视为撤销投标", en: "counts as revoked by the bidder" },
  "withdrawn": { zh: "视为撤回投标", en: "counts as withdrawn, without fault of the bidder" },
  "pending": { zh: "待两人认定", en: "to be ruled on by two persons" },
};

export const OBJECTIONS: Table = {
  "objection": { zh: "异议", en: "an objection" },
  "recusal": { zh: "回避申请", en: "a request for recusal" },
  "row": { zh: "对本单位唱标内容的异议", en: "an objection to its own row" },
};

export const TURNS: Table = {
  "finished": { zh: "发言完毕", en: "finished" },
  "ended": { zh: "主持人结束", en: "ended by the host" },
  "refused": { zh: "未获准", en: "not given" },
  "stage": { zh: "环节结束", en: "the step was over" },
};

export const STOPS: Table = {
  "clock": { zh: "平台时钟不可信", en: "the hall's clock was unsafe" },
  "outage": { zh: "开标厅中断", en: "the hall was out" },
};

export const SENTENCES: Table = {
  "bundle.file": { zh: "压缩包的每一个字节都有归属：没有隐藏、夹带或重复的内容。", en: "Every byte of the file is accounted for: nothing is hidden, added or there twice." },
  "bundle.manifest": { zh: "清单列出了包内全部文件，每个文件的长度和 SHA-256 与清单一致。", en: "The manifest lists every file, and the length and SHA-256 of each are as it says." },
  "bundle.signature": { zh: "清单由开标平台签名。", en: "The hall signed the manifest." },
  "chain.opening": { zh: "开标事件编号连续、时间不倒退，每一个都以摘要锁住前一个。", en: "The opening's events are numbered without gaps, their times never go back, each locks the one before." },
  "chain.private": { zh: "已公开的保密内容，与当时留在事件里的摘要一致。", en: "What was kept private and is now public is what the events committed to at the time." },
  "rules.opening": { zh: "把全部事件按规则重新推演一遍，每一个都恰好是规则在当时应当产生的。", en: "Replayed through the rules, every event is the very one that the rules produce at that point." },
  "bundle.contents": { zh: "包内文件和公开的内容不多也不少，正是这样一场开标应当留下的。", en: "The bundle holds and discloses what such an opening has to leave, no more and no less." },
  "chain.intake": { zh: "收标事件编号连续、时间不倒退，首尾与开标时锁定的一致。", en: "The events of intake are whole, and end where the opening locked them." },
  "rules.intake": { zh: "收标的每一个事件都符合规则，截止之后没有接收任何投标文件。", en: "Every event of intake is what the rules produce, and no bid was taken after the deadline." },
  "plan.announced": { zh: "规则、时限和参加人员与公告时一致，中途没有更换。", en: "Rules, windows and people are those announced, and were never exchanged." },
  "time.deadline": { zh: "停止接收发生在公告的开标时间，分毫不差。", en: "Intake closed at the announced opening time, exactly." },
  "time.barrier": { zh: "解密屏障之前没有打开任何一份；密钥交齐或时间到之后，所有结果同时公布。", en: "No bid was opened before the barrier; when every key was in or time was up, all results came together." },
  "locks.order": { zh: "每一份投标都是在公告列明的人员移除了它的全部锁之后才打开的，人数达到公告的门槛。", en: "No bid was opened before every lock on it was off, by as many of the announced officers as it takes." },
  "set.root": { zh: "锁定的集合根值，正是各投标文件头摘要的默克尔根。", en: "The root locked at the opening time is the Merkle root over the headers of the bids." },
  "set.complete": { zh: "锁定的集合就是截止前收到的最后版本：没有多一份、少一份或换一份。", en: "The set is what had arrived by the deadline, each bidder's last version: none added, dropped or exchanged." },
  "log.intake": { zh: "回执日志里的每一项，要么恰好是收到的一份文件的回执，要么是可验证的占位；每份回执都在其中，先到先入。", en: "Every entry of the log of receipts is the receipt of exactly one bid received or a proven decoy; every receipt is in it, first come first served." },
  "log.withdrawn": { zh: "每次撤回都由投标人本人用签署该投标文件的证书签署。", en: "Every withdrawal was signed by the bidder, with the certificate that had signed the bid." },
  "log.opening": { zh: "开标日志的每个检查点都由平台签名，根值正是这些事件的：没有给别人看过另一份。", en: "Every checkpoint of the opening's log is signed by the hall, and its root is that of these events." },
  "log.witnesses": { zh: "见证方的会签都有效，出自公告的密钥，与事件所记一致；不足法定数的，当时已公开说明。", en: "The witnesses' cosignatures verify under the keys announced and agree with the events; where a quorum was missing, that was made public." },
  "stamps.tokens": { zh: "每个时间戳都由公告的时间戳机构出具，针对的正是那一刻的日志，时间与事件相符（误差一分钟以内）。", en: "Every timestamp is by an authority that was announced, over exactly the log of its moment, at a time that fits the events to within a minute." },
  "recording.chain": { zh: "录像的事件环环相扣，符合规则；开标日志里每次所记的长度和根值，正是录像当时的。", en: "The recording's events lock each other and are what the rules allow; each time the opening's log says how far it had come, it says what is there." },
  "recording.files": { zh: "录像的每一个片段都是当时留存的那一个，次序不变；没有画面的时段都已列出。", en: "Every fragment of the recording is the one that was kept at the time, in that order; every time without a picture is named." },
  "bids.declarations": { zh: "每份投标文件都由投标人自己的证书签署，签名覆盖文件头和全部内容。", en: "Every bid was signed with the bidder's own certificate, over its header and all of its content." },
  "bids.certificates": { zh: "每张签名证书在收到投标文件时都有效，并由包内列出的机构签发。", en: "Every signing certificate was valid when the bid arrived, and issued by an authority listed in the bundle." },
  "bids.receipts": { zh: "每份投标文件都有平台在截止前签发的回执，与事件和文件一致。", en: "For every bid the hall had signed a receipt before the deadline, which agrees with log and file." },
  "bids.quotes": { zh: "读出的就是密封的：公布的密钥符合截止前的承诺，解出的内容与唱标和记录逐字相同。", en: "What was read out is what was sealed: the key fits the commitment made before the deadline, and what it opens is word for word what was read and recorded." },
  "statements.certificates": { zh: "每项操作所用的证书，凭当时留存的查验凭据重新判断，结论与事件记录相同：有效、已吊销，或当时问不到。", en: "Judged again by the evidence kept at the time, the certificate behind every act stood as the log says: good, revoked, or its authority silent." },
  "bids.evidence": { zh: "谁在何时连得上，有双方签名的心跳为证；事件中的数字由这些证据算出。", en: "Who could reach whom is shown by signs of life that both sides signed, and the figures in the log follow." },
  "bids.causes": { zh: "没有打开的每一份，原因和后果都由当时的证据推算得出。", en: "For every bid that was not opened, cause and consequence follow from the recorded evidence." },
  "bids.failures": { zh: "每份未打开的投标，投标人都得到平台签名的未解密证明，内容与事件一致。", en: "The bidder of every bid that was not opened got a certificate that the hall signed, and it says what the log says." },
  "draws.result": { zh: "抽取结果由各方事先锁定、事后公开的随机数计算得出：每个随机数都与承诺一致，重算一遍结果相同。", en: "What was drawn follows from the numbers that everyone had committed to: each fits its commitment, and drawing again gives the same." },
  "late.slips": { zh: "逾期的文件被拒收，凭证由平台签名，时间在截止之后。", en: "What came too late was refused with a slip under the hall's signature, dated after the deadline." },
  "statements.checkin": { zh: "每次签到都由投标人本人的证书签署。", en: "Every check-in was signed with the bidder's own certificate." },
  "statements.confirm": { zh: "每个确认都由投标人本人的证书签署，所确认的正是读出的内容。", en: "Every confirmation was signed with the bidder's own certificate, over what was read out." },
  "statements.escrow": { zh: "由托管人打开的投标，都有投标人本人签署的申请和两人的同意。", en: "Where trustees opened a bid, its bidder had asked for it, signed, and two persons had agreed." },
  "record.projection": { zh: "开标记录与事件完全一致，签名时锁定的摘要就是它的。", en: "The opening record says exactly what the events say, and its digest is the one put up for signature." },
  "record.signatures": { zh: "记录上的每个签名都有效，签的就是这份记录。", en: "Every signature on the record verifies, and is over this record." },
  "record.page": { zh: "供阅读的页面和说明，与记录一字不差。", en: "The pages to read say what the record says, to the letter." },
};

export const EXTRA: Table = {
  "hall.key": { zh: "平台的密钥是您所信任的那一把，或由它逐一背书而来。", en: "The hall's key is one you trust, or follows from one, each endorsed by the one before." },
  "log.policy": { zh: "您自己认定的见证方会签了锁定的集合和结束时的日志，人数达到您的门槛。", en: "The witnesses you go by hold the frozen set and the end of the log, as many as you ask for." },
  "trust.authorities": { zh: "档案所信任的证书机构和时间戳机构，都是您所信任的。", en: "Every authority that the archive trusts is one you trust." },
  "log.held": { zh: "外部保存的检查点或链末值与本包一致：平台没有另一份日志。", en: "The checkpoint or chain head kept outside goes with this bundle: the hall has no other log." },
};

export const FATES: Table = {
  "counted": { zh: "这份回执所收的投标文件在锁定的集合之内。", en: "The bid of this receipt is in the set that was frozen at the opening time." },
  "replaced": { zh: "这份投标文件在截止前已由同一投标人后来递交的文件替换。", en: "Before the deadline this bid was replaced by a later one of the same bidder." },
  "withdrawn": { zh: "这份投标文件在截止前已由投标人签署声明撤回。", en: "Before the deadline this bid was withdrawn, by a statement that its bidder signed." },
  "never_frozen": { zh: "本场在开标时间之前已终止，没有锁定任何投标文件，也没有遗漏任何一份。", en: "The opening was aborted before its time: no set was ever frozen, so no bid was left out of it." },
  "dropped": { zh: "这份投标文件被遗漏了：平台签署了收到它的回执，档案里却没有它，也没有替换或撤回它的依据。", en: "This bid was DROPPED: the hall signed that it had received it, and the archive has neither the bid nor anything that replaced or withdrew it." },
  "altered": { zh: "平台改动了这份投标文件的收件记录：档案里的与它当时签署的回执不符。", en: "The hall ALTERED how this bid was received: the archive says otherwise than the receipt it signed." },
  "forked": { zh: "平台出示过两份互相矛盾的回执日志：它给这位投标人签署的检查点，与档案里的日志不是同一份。", en: "The hall has shown TWO LOGS: the one whose checkpoint it signed for this bidder does not lead to the one in the archive." },
  "foreign": { zh: "这份回执不属于这份档案：它出自另一个平台密钥，或属于另一场开标。", en: "This receipt does not belong to this archive: it is of another hall key, or of another opening." },
  "forged": { zh: "这不是该平台签署的回执，什么也不能证明。", en: "This is no receipt that this hall signed, and proves nothing." },
  "untold": { zh: "从这份档案无法判断：它没有通过核对，或本场没有开标，收标记录未公开。", en: "This archive cannot tell: it does not hold, or the opening was not held and its intake is withheld." },
};

export const STYLE = "\n@page{size:A4 landscape;margin:14mm 12mm}\n*{box-sizing:border-box}\nbody{margin:0 auto;max-width:1180px;padding:40px 32px 64px;background:#fff;color:#17202a;\nfont:15px/1.6 \"Noto Sans CJK SC\",\"Noto Sans SC\",\"PingFang SC\",\"Microsoft YaHei\",\"Helvetica Neue\",Arial,sans-serif}\nh1{margin:0;font-size:30px;letter-spacing:.06em;font-weight:650}\nh1 span{display:block;margin-top:2px;font-size:15px;letter-spacing:0;font-weight:400;color:#5b6875}\nh2{margin:40px 0 10px;font-size:17px;font-weight:650}\nh2 span,th span,dt span,dd span,td span,p span{color:#5b6875;font-weight:400;font-size:.86em}\nh2 span{margin-left:.5em}\nheader{display:flex;justify-content:space-between;align-items:flex-end;gap:32px;padding-bottom:18px;\nborder-bottom:2px solid #17202a}\n.stamp{padding:4px 14px;border:1.5px solid #9a3412;color:#9a3412;font-weight:650;white-space:nowrap}\ndl{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:0 40px;margin:18px 0 0}\ndl div{display:grid;grid-template-columns:8em 1fr;padding:8px 0;border-bottom:1px solid #e3e8ec}\ndt{color:#17202a;font-weight:600}\ndd{margin:0;overflow-wrap:anywhere}\ntable{width:100%;border-collapse:collapse;font-size:14px}\nth{padding:8px 10px;text-align:left;vertical-align:bottom;border-bottom:1.5px solid #17202a;font-weight:600}\nth span,td span,dt span,dd span{display:block;margin:0}\n.stamp span{margin-left:.5em;font-weight:400}\ntd{padding:9px 10px;vertical-align:top;border-bottom:1px solid #e3e8ec;overflow-wrap:anywhere}\ntr{break-inside:avoid}\n.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}\n.big{font-size:17px;font-weight:650}\n.mono,code{font:12px/1.5 ui-monospace,\"SFMono-Regular\",Menlo,Consolas,monospace;overflow-wrap:anywhere}\n.not{color:#9a3412;font-weight:600}\nfooter{margin-top:44px;padding-top:14px;border-top:1px solid #c5ced6;color:#5b6875;font-size:13px}\n@media print{body{padding:0;font-size:10.5pt;max-width:none}table{font-size:9.5pt}thead{display:table-header-group}}\n@media(max-width:760px){dl{grid-template-columns:1fr}header{display:block}.stamp{display:inline-block;margin-top:12px}\ntable{display:block;overflow-x:auto}th,td{min-width:7em}.n{min-width:0}}\n";

export const README = "开标档案包\n==========\n\n{title_zh}\n场次 {session}；项目 {tender}；标段 {lot}\n\n这个压缩包里是一场开标全过程的公开记录。任何人都可以自行核对，不必相信开标平台，也不需要联网。\n\n一条命令核对全部内容：\n\n    kaibiao verify session.zip\n\n手工核对（只需 sha256sum 和 openssl）：\n\n1. 文件是否被改动。manifest.json 列出其余每个文件的 SHA-256：\n       unzip session.zip && sha256sum record.json\n2. 事件是否连续。events/opening.jsonl 每行一个事件，行内没有多余空格。一行（不含换行符）的 SHA-256，就是下一行\n   \"prev\" 的值：\n       sed -n 1p events/opening.jsonl | tr -d '\\n' | sha256sum\n3. 各方签的是什么。RecordDrawn 事件里的 record_sha256 就是 record.json 的 SHA-256；每个签名（*.jws）签的都是它。\n{bids_zh}\n没有公开的内容（events/opening.private.jsonl 里没有的）在事件中只留下加盐的摘要，谁也不能事后改换。\nrecord.html 是供阅读和打印的开标记录表，内容与 record.json 相同。\nhall-key.json 是平台的公钥。请向平台另行索取它的指纹（kid），与这里的比较。\n\nArchive of a bid opening\n========================\n\n{title_en}\nSession {session}, tender {tender}, lot {lot}\n\nThis file holds the public record of one whole bid opening. Anyone can check it, offline, without trusting the hall.\n\nCheck everything with one command:\n\n    kaibiao verify session.zip\n\nCheck by hand, with sha256sum and openssl alone:\n\n1. Was a file changed? manifest.json lists the SHA-256 of every other file:\n       unzip session.zip && sha256sum record.json\n2. Are the events whole? events/opening.jsonl has one event a line, without needless blanks. The SHA-256 of a line\n   (without its line end) is the \"prev\" of the next:\n       sed -n 1p events/opening.jsonl | tr -d '\\n' | sha256sum\n3. What was signed? The record_sha256 in the event RecordDrawn is the SHA-256 of record.json, and every signature\n   (*.jws) is over it.\n{bids_en}\nWhat is not public (whatever is missing from events/opening.private.jsonl) left a salted digest in its event, so\nnobody can exchange it afterwards. record.html is the opening record to read and print; it says what record.json says.\nhall-key.json is the hall's public key. Ask the hall by another way for its fingerprint (kid) and compare it.\n";

export const README_BIDS: Words = { zh: "4. 读出的是否就是密封的。bids/1 等文件夹，一家一个：\n       sha256sum bids/1/header.json          等于 SetFrozen 事件 headers 中的第一个\n       openssl cms -verify -noverify -binary -inform DER -in bids/1/declaration.der\n                                             显示投标人在截止前签署的声明，其中有上面这个摘要\n   bids/1/quote.sbid-part 是密文，quote.key 是它的密钥，quote.json 是解出的开标一览表。\n   密钥的承诺值（header.json 中该部分的 kc）在截止前就已由投标人签署，换一把密钥打不开。", en: "4. Is what was read out what was sealed? There is a folder for each bid, bids/1 and so on:\n       sha256sum bids/1/header.json          is the first of \"headers\" in the event SetFrozen\n       openssl cms -verify -noverify -binary -inform DER -in bids/1/declaration.der\n                                             shows what the bidder signed before the deadline, with that digest in it\n   bids/1/quote.sbid-part is the sealed sheet, quote.key its key, quote.json what it says. The commitment to the key\n   (\"kc\" of that part in header.json) was signed before the deadline, and no other key fits it." };

export const README_NONE: Words = { zh: "4. 本场没有公布投标人，也没有打开任何投标文件。", en: "4. No bidder was published in this session and no bid was opened." };
