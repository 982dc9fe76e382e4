"""The tree models: scikit-learn's rules, calibration through time, files that come back the same."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from loyalty.models.churn import ChurnModel
from loyalty.models.value import ValueModel


@parametrize_with_checks([ChurnModel(n_estimators=60, learning_rate=0.1), ValueModel(n_estimators=30)])
@pytest.mark.filterwarnings("ignore")
def test_obeys_scikit_learn(estimator, check):
    check(estimator)
