"""What each refusal code means, for people, in both languages: a sentence and the next step."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    """A sentence and a hint, in English and in Chinese."""

    en: str
    hint_en: str
    zh: str
    hint_zh: str


_RESEAL = ("Seal the bid again and submit the new file.", "请重新加密封装并提交新文件。")
_UPLOAD = ("Compare the file with your copy and upload it again.", "请与本地文件核对后重新上传。")
_CA = ("Ask your certificate authority, or use another certificate.", "请联系发证机构，或改用其他证书。")
_KEY = ("Use the certificate and key the bid was sealed with.", "请使用加密封装时所用的证书和私钥。")
_AUTHORITY = ("Ask again, or ask another authority.", "请重新申请，或改用其他时间戳机构。")
_SHARES = ("Ask those who hold the shares to open theirs again.", "请份额持有人重新打开各自的份额。")
_SENDER = ("Ask the sender for the original bytes.", "请向出具方索取原始数据。")


def _words(en: str, zh: str, hint: tuple[str, str]) -> Words:
    return Words(en=en, hint_en=hint[0], zh=zh, hint_zh=hint[1])


WORDS: dict[str, Words] = {
    # encoding
    "malformed_json": _words("This is not strict JSON.", "不是严格的 JSON 数据。", _SENDER),
    "not_canonical": _words("The data is not in its canonical form.", "数据不是规范编码。", _SENDER),
    "malformed_field": _words("A field has a form that is not allowed.", "字段格式不符合规定。", _SENDER),
    "too_large": _words(
        "The data is larger than the limit.", "数据超过大小上限。", ("Reduce its size.", "请减小后重试。")
    ),
    # the sealed bid
    "not_a_sealed_bid": _words(
        "This file is not a sealed bid.",
        "该文件不是加密投标文件。",
        ("Choose the .sbid file.", "请选择 .sbid 文件。"),
    ),
    "unsupported_version": _words(
        "The sealed bid has a version this program does not know.",
        "加密投标文件的版本不受支持。",
        ("Update this program, or seal the bid again.", "请升级程序，或重新加密封装。"),
    ),
    "unsupported_suite": _words(
        "The sealed bid uses an unknown cipher suite.", "加密投标文件使用了未知的密码套件。", _RESEAL
    ),
    "malformed_header": _words("The header of the sealed bid is malformed.", "加密投标文件的文件头有误。", _RESEAL),
    "wrong_sizes": _words(
        "The sealed bid is cut short, or something was added to it.", "加密投标文件不完整或被追加了内容。", _UPLOAD
    ),
    "malformed_declaration": _words("The bidder's declaration is malformed.", "投标人声明格式有误。", _RESEAL),
    "wrong_certificate": _words(
        "The sealed bid does not carry the certificate it names.", "加密投标文件所附证书与其声明不符。", _RESEAL
    ),
    "bad_signature": _words("The signature does not verify.", "签名验证失败。", _UPLOAD),
    "wrong_header": _words("The declaration was signed for another header.", "声明所签署的并非此文件头。", _UPLOAD),
    "malformed_slot": _words("A key slot of the sealed bid is malformed.", "密钥槽格式有误。", _RESEAL),
    "wrong_recipient": _words("The key slot belongs to another certificate.", "密钥槽属于另一张证书。", _KEY),
    "slot_not_openable": _words("The key slot does not open with this key.", "此私钥无法打开密钥槽。", _KEY),
    "commitment_mismatch": _words(
        "The key is not the one this bid was committed to.", "密钥与投标时的承诺值不符。", _KEY
    ),
    "wrong_segments": _words("The sealed bid was changed after it was signed.", "文件在签名后被改动。", _UPLOAD),
    "damaged_part": _words("A part of the sealed bid is damaged.", "加密投标文件的部分内容已损坏。", _UPLOAD),
    "malformed_quote": _words("The sealed quote is not canonical JSON.", "开标一览表数据格式有误。", _RESEAL),
    "malformed_names": _words("The sealed list of file names is malformed.", "文件名清单格式有误。", _RESEAL),
    "no_such_part": _words(
        "The sealed bid has no such part or group.",
        "加密投标文件中没有该部分。",
        ("List its parts with `kaibiao explain`.", "可用 kaibiao explain 查看。"),
    ),
    "source_changed": _words(
        "A file changed while it was being sealed.",
        "文件在加密过程中发生变化。",
        ("Close the programs that use it and seal again.", "请关闭占用该文件的程序后重试。"),
    ),
    # release
    "malformed_rescue": _words(
        "This is neither a rescue file nor a key file.",
        "这不是备用文件，也不是密钥文件。",
        (
            "Give the rescue file saved when sealing, or the 32 bytes of the key.",
            "请提供封装时保存的备用文件，或 32 字节的密钥文件。",
        ),
    ),
    "no_rescue": _words(
        "This bid was sealed without a rescue file.",
        "这份投标文件封装时没有制作备用文件。",
        _KEY,
    ),
    "malformed_release": _words("The release message is malformed.", "解密授权信息格式有误。", _SENDER),
    "wrong_session": _words(
        "The release was made for another opening.",
        "该解密授权属于另一场开标。",
        ("Answer the challenge of this opening.", "请对本场开标重新授权。"),
    ),
    "stale_nonce": _words(
        "The release answers an old challenge.",
        "该解密授权对应的是过期的质询。",
        ("Reload the page and release again.", "请刷新页面后重新授权。"),
    ),
    "wrong_bid": _words("The release was made for another sealed bid.", "该解密授权属于另一份投标文件。", _KEY),
    "not_decryptable": _words(
        "The released key was not encrypted to this opening.",
        "解密授权并非加密给本场开标。",
        ("Reload the page and release again.", "请刷新页面后重新授权。"),
    ),
    "wrong_release_mode": _words(
        "The release is of the other kind than this opening takes.",
        "解密授权的方式与本场开标不符。",
        ("Reload the page and release again.", "请刷新页面后重新授权。"),
    ),
    "wrong_locks": _words(
        "The release is not for the locks of this opening.",
        "解密授权所针对的并非本场开标的锁。",
        ("Reload the page and release again.", "请刷新页面后重新授权。"),
    ),
    # shares
    "malformed_shares": _words("These are not shares of one key.", "这些份额不属于同一密钥。", _SHARES),
    "too_few_shares": _words("There are too few shares of the key.", "密钥份额不足。", _SHARES),
    "share_mismatch": _words("A share is not the one that was committed to.", "密钥份额与承诺值不符。", _SHARES),
    "shares_disagree": _words(
        "The shares are the committed ones and still do not belong together.",
        "各份额均与承诺值一致，但不能合成同一密钥。",
        ("Keep them: they prove how the bid was sealed.", "请保存：它们可证明投标人加密封装有误。"),
    ),
    "second_key_missing": _words(
        "This bid opens only together with the tenderer's key.",
        "该投标文件须与招标人密钥共同解密。",
        ("Ask the tenderer's officers for their shares.", "请由招标人的解密人员提供密钥份额。"),
    ),
    # statements
    "malformed_token": _words("The signed statement is malformed.", "签名文书格式有误。", _SENDER),
    "wrong_kind": _words("The signed statement is of another kind.", "签名文书的种类不符。", _SENDER),
    "wrong_signer": _words("The statement was signed by somebody else.", "签名文书由他人签署。", _SENDER),
    # certificates
    "malformed_certificate": _words("The certificate cannot be read.", "无法读取证书。", _CA),
    "malformed_credential": _words(
        "The key file cannot be read.",
        "无法读取密钥文件。",
        ("Use a PKCS#12 file, or a PEM with key and certificate.", "请使用 PKCS#12，或含私钥和证书的 PEM。"),
    ),
    "wrong_password": _words(
        "The password does not open the key file.", "密码错误，无法打开密钥文件。", ("Try again.", "请重试。")
    ),
    "not_a_leaf": _words("This is an authority's certificate, not a bidder's.", "这是 CA 证书，不是用户证书。", _CA),
    "weak_key": _words("The key is too weak or of an unknown kind.", "密钥强度不足或类型未知。", _CA),
    "wrong_key_usage": _words("The certificate may not be used for this.", "证书的密钥用途不符。", _CA),
    "pair_mismatch": _words(
        "The signing and encryption certificates are not a pair.", "签名证书与加密证书不是同一对。", _CA
    ),
    "no_identity": _words("The certificate does not name an organisation number.", "证书未载明机构代码。", _CA),
    "expired": _words("The certificate has expired.", "证书已过期。", _CA),
    "not_yet_valid": _words("The certificate is not valid yet.", "证书尚未生效。", _CA),
    "unknown_issuer": _words("No trusted authority issued this certificate.", "证书并非由受信任的机构签发。", _CA),
    "revoked": _words("The certificate has been revoked.", "证书已被吊销。", _CA),
    "wrong_evidence": _words(
        "The evidence kept of a certificate does not lead to what was recorded.",
        "留存的证书查验凭据得不出所记录的结论。",
        ("Ask the hall for the archive again.", "请向平台重新索取归档包。"),
    ),
    "other_subject": _words(
        "This certificate is not of the organisation that signed the bid.",
        "此证书与签署投标文件的证书不属于同一单位。",
        (
            "Use the certificate that signed the bid, or its successor: same number, same name.",
            "请使用签署投标文件的证书，或同一单位（号码、名称相同）换发的新证书。",
        ),
    ),
    "malformed_list": _words(
        "That is not a revocation list.",
        "这不是有效的证书吊销列表。",
        ("Send the list as DER or PEM.", "请提供 DER 或 PEM 格式的列表。"),
    ),
    "revocation_unavailable": _words(
        "The authority could not be asked whether the certificate is revoked.",
        "暂时无法向发证机构查询证书是否被吊销。",
        (
            "Try again in a moment. This is not counted against the bidder.",
            "请稍后重试。由此产生的后果不由投标人承担。",
        ),
    ),
    "revocation_unknown": _words(
        "Whether the certificate is revoked cannot be told.",
        "无法确认证书是否被吊销。",
        ("Provide the authority's current revocation list.", "请提供发证机构当前的吊销列表。"),
    ),
    # timestamps
    "malformed_timestamp": _words("The timestamp cannot be read.", "无法读取时间戳。", _AUTHORITY),
    "timestamp_denied": _words("The authority gave no timestamp.", "时间戳机构未出具时间戳。", _AUTHORITY),
    "wrong_imprint": _words("The timestamp is over something else.", "时间戳针对的是其他数据。", _SENDER),
    "stale_timestamp": _words("The timestamp answers another request.", "该时间戳是对另一请求的应答。", _AUTHORITY),
    "wrong_time": _words("The timestamp names a time that cannot be.", "时间戳所载时间不可能成立。", _AUTHORITY),
    # records
    "broken_chain": _words("The event chain is broken.", "事件链不连续。", _SENDER),
    "malformed_event": _words("An event of the chain is malformed.", "事件格式有误。", _SENDER),
    "wrong_seed": _words(
        "The seed shown is not the one that was committed to.",
        "公开的随机数与当初的承诺不符。",
        ("Show the seed made with the commitment.", "请公开作出承诺时生成的随机数。"),
    ),
    "wrong_proof": _words("The proof does not lead to the stated root.", "证明与根值不符。", _SENDER),
    # transparency logs
    "malformed_note": _words("The signed note is malformed.", "签名记录格式有误。", _SENDER),
    "malformed_checkpoint": _words("The checkpoint of the log is malformed.", "日志检查点格式有误。", _SENDER),
    "wrong_origin": _words("The checkpoint is of another log.", "该检查点属于另一份日志。", _SENDER),
    "malformed_proof": _words("The log proof is malformed.", "日志证明格式有误。", _SENDER),
    "malformed_receipt_file": _words("The receipt file is malformed.", "回执文件格式有误。", _SENDER),
    "malformed_policy": _words(
        "The list of witnesses cannot be read, or its quorum cannot be reached.",
        "见证方名单有误，或法定数无法达到。",
        ("Correct the line that is named.", "请更正所指出的行。"),
    ),
    "not_witnessed": _words(
        "Too few witnesses have cosigned the checkpoint.",
        "会签该检查点的见证方不足。",
        (
            "Ask the hall for a checkpoint that more witnesses have seen.",
            "请向平台索取由更多见证方会签的检查点。",
        ),
    ),
}
