"""The venue's own words for requests that it refuses as a whole, and ours for what paper cannot mean."""

from typing import Final

NOT_DESERIALIZED: Final = "Failed to deserialize the JSON body into the target type"
UNKNOWN_ORDER: Final = "Order was never placed, already canceled, or filled. asset={asset}"
CANNOT_MODIFY: Final = "Cannot modify canceled or filled order"
UNKNOWN_ASSET: Final = "Unknown asset. asset={asset}"
UNKNOWN_SIGNER: Final = "User or API Wallet {address} does not exist."
UNKNOWN_VAULT: Final = "Vault not registered: {address}"
EXPIRED: Final = "Action already expired"
TOO_MANY_REQUESTS: Final = (
    "Too many cumulative requests sent ({sent} > {allowed}) for cumulative volume traded ${volume}. "
    "Place taker orders to free up 1 request per USDC traded."
)
TOO_EARLY: Final = "Scheduled cancel time too early, must be at least 5 seconds from now."
NO_ANSWER: Final = "the paper exchange has not answered in time: has the market's data stopped? Ask for the order later"
BAD_TRIGGER: Final = "Invalid TP/SL price. asset={asset}"
NOT_GROUPED: Final = "Only trigger orders of one asset can be grouped so. asset={asset}"
NO_FAST_CANCEL: Final = "Fast cancel is not possible for trigger orders. asset={asset}"
NO_PRIORITY: Final = "Priority is for actions of IOC or of non-reduce-only ALO orders alone. asset={asset}"
PARENT_NOT_FILLED: Final = "The order was canceled with its parent. asset={asset}"
NO_MODIFY_OF_CHILDREN: Final = "On paper an order whose parent is not filled is not modified. asset={asset}"
NOT_ALWAYS: Final = "Modify to a trigger order is only possible with always_place. asset={asset}"
NOT_ALWAYS_IOC: Final = "Modify to an IOC order is only possible with always_place. asset={asset}"
NOT_ON_PAPER: Final = "{action} means nothing on paper: {why}"

_MONEY: Final = "the money of a paper account is in the settings"
_NO_TRANSFERS: Final = "nothing leaves a paper account; " + _MONEY
NO_PORTFOLIO_MARGIN: Final = "portfolio margin means nothing on paper: every market has its money by itself"
MODES: Final = {"u": "unifiedAccount", "p": "portfolioMargin", "i": "disabled"}
"""The venue's words for how an account is kept, by the letters that agents have for them."""
MEANINGLESS: Final[dict[str, str]] = {
    **dict.fromkeys(("withdraw3", "usdSend", "spotSend", "sendAsset", "usdClassTransfer"), _NO_TRANSFERS),
    **dict.fromkeys(("vaultTransfer", "subAccountTransfer", "subAccountSpotTransfer", "agentSendAsset"), _NO_TRANSFERS),
    **dict.fromkeys(("createVault", "vaultModify", "vaultDistribute", "createSubAccount", "subAccountModify"), _MONEY),
    **dict.fromkeys(("cDeposit", "cWithdraw", "tokenDelegate", "claimRewards"), "there is no staking"),
    **dict.fromkeys(("twapOrder", "twapCancel"), "time-weighted orders are not simulated"),
    **dict.fromkeys(("convertToMultiSigUser", "multiSig"), "one key signs for a paper account"),
    **dict.fromkeys(("updateIsolatedMargin", "topUpIsolatedOnlyMargin"), "every market has its money by itself"),
    **dict.fromkeys(
        ("spotDeploy", "perpDeploy", "evmUserModify", "usdClassTransferV2"), "there is nothing to deploy on"
    ),
}
"""Actions that are refused politely, with the reason."""
NOTHING_TO_DO: Final = (
    "approveBuilderFee",
    "setReferrer",
    "noop",
    "userDexAbstraction",
    "agentEnableDexAbstraction",
    "reserveRequestWeight",
    "setDisplayName",
)
"""Actions that are answered with a plain yes: what they change does not exist on paper."""
