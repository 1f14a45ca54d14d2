"""TARP: a task-adaptive reparameterisation of dense layers (Hou et al., 2022, section 2.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator

from harness.contracts.adaptation import Adaptation, Targets

if TYPE_CHECKING:
    from harness.backbone.backbone import Backbone


class Tarp(Adaptation):
    """W = Phi_1 * W0 + Phi_2 (Hou et al., 2022, equation 1), `*` element by element but for `matmul`.

    `decomposition` says what the Phi are made of; `matmul` is `dynamic` with Phi_1 W0 in the place of Phi_1 * W0.
    `multiplicative` is about Phi_1: `dynamic` reads the token (equation 3), `static` does not, `none` leaves it
    out. The bilinear and kronecker Phi_1 are static: 1 + Phi_1. In the dynamic decomposition `static` is the
    released code's softplus of a bilinear factor. Without `targets` the attention of a model that only encodes is
    changed, which fits the size that the paper states for RoBERTa, and all dense layers of any other.
    """

    sized_by: ClassVar[str | None] = "rank"

    decomposition: Literal["dynamic", "bilinear", "kronecker", "matmul"] = "dynamic"
    rank: int = Field(4, ge=1)
    sigma: Literal["mlp", "linear"] = "mlp"
    multiplicative: Literal["dynamic", "static", "none"] = "dynamic"
    kronecker_factors: int = Field(4, ge=1)
    recompute: bool = Field(False, description="in the backward pass make r products again, not keep them")
    targets: Targets | None = Field(None, description="null: attention in encoders, all where there is a decoder")

    # Pydantic calls these only for options that are set, after `decomposition`.

    @field_validator("sigma")
    @classmethod
    def _has_sigma(cls, value: str, others: ValidationInfo) -> str:
        if others.data.get("decomposition") in ("bilinear", "kronecker"):
            raise ValueError(f"{others.data['decomposition']} factors read no input and have no Sigma; remove it")
        return value

    @field_validator("multiplicative")
    @classmethod
    def _has_such_a_part(cls, value: str, others: ValidationInfo) -> str:
        decomposition = others.data.get("decomposition")
        if decomposition in ("bilinear", "kronecker") and value == "dynamic":
            raise ValueError(f"{decomposition} factors read no input; write static or none, or remove it")
        if decomposition == "matmul" and value != "dynamic":
            raise ValueError("matmul is about a dynamic multiplicative part; remove it, or use decomposition: dynamic")
        return value

    @field_validator("kronecker_factors")
    @classmethod
    def _is_kronecker(cls, value: int, others: ValidationInfo) -> int:
        if others.data.get("decomposition") not in ("kronecker", None):
            raise ValueError(f"only the kronecker decomposition has it, not {others.data['decomposition']}; remove it")
        return value

    @field_validator("recompute")
    @classmethod
    def _has_products(cls, value: bool, others: ValidationInfo) -> bool:
        chosen = others.data.get("decomposition", "dynamic"), others.data.get("multiplicative", "dynamic")
        if chosen != ("dynamic", "dynamic"):
            raise ValueError("only a dynamic multiplicative part in the dynamic decomposition has it; remove it")
        return value

    @property
    def slower(self) -> float:
        """A dynamic multiplicative part costs a product with the dense weight for each rank."""
        dynamic = self.decomposition == "dynamic" and self.multiplicative == "dynamic"
        return 1 + self.rank / 2 if dynamic else 1.2

    def model_dump(self, **options: Any) -> dict[str, Any]:
        """The options that have a meaning here, so that what is dumped can be read again."""
        static = self.decomposition in ("bilinear", "kronecker")
        without = {
            "sigma": static,
            "multiplicative": static and self.multiplicative == "dynamic",
            "kronecker_factors": self.decomposition != "kronecker",
            "recompute": (self.decomposition, self.multiplicative) != ("dynamic", "dynamic"),
        }
        return super().model_dump(**{"exclude": {name for name, left_out in without.items() if left_out}, **options})

    def attach(self, backbone: Backbone) -> None:
        from harness.adaptations.tarp_attach import reparameterise

        reparameterise(self, backbone)
