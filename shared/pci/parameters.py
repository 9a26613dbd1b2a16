"""The parameters of the Privilege Creep Index, version `pci-1`: this project's own, calibrated on AWS policies.

The calibration is held by tests/unit/test_calibration.py.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from shared.model.score import RiskClass

PCI_DIGITS = 6  # of a PCI after the point


class ClassWeight(NamedTuple):
    """How bad a class is at most (α), and the unused reach (κ) at which it comes near that."""

    alpha: float
    kappa: float


_PCI_1_WEIGHTS: Mapping[RiskClass, ClassWeight] = MappingProxyType(
    {
        RiskClass.ESCALATION: ClassWeight(0.95, 3),
        RiskClass.CREDENTIAL_EXPOSURE: ClassWeight(0.7, 15),
        RiskClass.RESOURCE_EXPOSURE: ClassWeight(0.6, 40),
        RiskClass.DATA_ACCESS: ClassWeight(0.6, 25),
        RiskClass.DESTRUCTIVE: ClassWeight(0.6, 1500),
        RiskClass.WRITE: ClassWeight(0.5, 400),
        RiskClass.TAGGING: ClassWeight(0.1, 80),
        RiskClass.READ: ClassWeight(0.25, 7500),
        RiskClass.LIST: ClassWeight(0.1, 135),
    }
)


@dataclass(frozen=True, slots=True)
class ScoreParameters:
    """The versioned parameters of the formula; a score names the version that it was made with."""

    version: str = "pci-1"
    gamma: float = 0.55
    weights: Mapping[RiskClass, ClassWeight] = field(default_factory=lambda: _PCI_1_WEIGHTS)

    def chance(self, risk: RiskClass, mass: float) -> float:
        """Chance of damage of one class by its unused reach m: s = α · (1 − exp(−(m / κ)^γ)).

        >>> round(ScoreParameters().chance(RiskClass.ESCALATION, 3), 4)  # 0.95 · (1 − 1/e)
        0.6005
        """
        alpha, kappa = self.weights[risk]
        return alpha * -math.expm1(-((mass / kappa) ** self.gamma))
