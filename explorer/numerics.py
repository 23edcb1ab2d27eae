"""The few functions of a transformer that NumPy lacks: softmax, log-sum-exp and the activations."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

__all__ = ["ACTIVATIONS", "Array", "erf", "log_sum_exp", "softmax"]

#: What every array of a trace is.
Array = NDArray[np.float32]


def softmax(values: Array, axis: int = -1) -> Array:
    """Exponentials divided by their sum.

    Parameters
    ----------
    values : array
    axis : int
        Along which the result sums to 1.

    Returns
    -------
    array of the same shape
    """
    # The largest is taken off first: the result is the same, and no exponential overflows.
    result: Array = np.exp(values - values.max(axis=axis, keepdims=True))
    result /= result.sum(axis=axis, keepdims=True)
    return result


def log_sum_exp(values: Array, axis: int = -1) -> Array:
    """Logarithm of the sum of exponentials: ``softmax(values) = exp(values - log_sum_exp(values))``.

    Parameters
    ----------
    values : array
    axis : int
        The axis that is summed over (and gone from the result).

    Returns
    -------
    array
    """
    largest = values.max(axis=axis, keepdims=True)
    total: Array = np.log(np.exp(values - largest).sum(axis=axis)) + np.squeeze(largest, axis=axis)
    return total


def erf(values: Array) -> Array:
    """The error function, within 1.5e-7.

    Parameters
    ----------
    values : array

    Returns
    -------
    array of the same shape

    Notes
    -----
    Formula 7.1.26 of Abramowitz and Stegun, in double precision: NumPy has none, and SciPy would be a large
    dependency for one function.
    """
    x = np.abs(values, dtype=np.float64)
    t = 1.0 / (1.0 + 0.3275911 * x)
    polynomial = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    result: Array = np.copysign(1.0 - polynomial * np.exp(-x * x), values).astype(np.float32)
    return result


def _sigmoid(x: Array) -> Array:
    # By way of tanh, which overflows nowhere.
    result: Array = np.float32(0.5) * (1 + np.tanh(np.float32(0.5) * x))
    return result


def _gelu(x: Array) -> Array:
    result: Array = np.float32(0.5) * x * (1 + erf(x * np.float32(0.5**0.5)))
    return result


def _gelu_tanh(x: Array) -> Array:
    inner: Array = np.float32((2.0 / np.pi) ** 0.5) * (x + np.float32(0.044715) * x * x * x)
    result: Array = np.float32(0.5) * x * (1 + np.tanh(inner))
    return result


def _quick_gelu(x: Array) -> Array:
    result: Array = x * _sigmoid(np.float32(1.702) * x)
    return result


def _silu(x: Array) -> Array:
    result: Array = x * _sigmoid(x)
    return result


def _relu(x: Array) -> Array:
    result: Array = np.maximum(x, np.float32(0))
    return result


#: Activations by name.
ACTIVATIONS: Mapping[str, Callable[[Array], Array]] = {
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    "quick_gelu": _quick_gelu,
    "silu": _silu,
    "relu": _relu,
    "sigmoid": _sigmoid,
}
