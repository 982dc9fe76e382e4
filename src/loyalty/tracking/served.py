"""The model as MLflow serves it: this file is logged beside the bundle and run again wherever the model is loaded.

Nothing is pickled. MLflow keeps this code, the trees as text and the rest as JSON; loading them needs the `loyalty`
package.
"""

from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from loyalty.models.churn import ChurnModel
from loyalty.models.value import ValueModel


class ServedModel(PythonModel):
    """Features of a client in, churn probability and expected value out.

    Columns are found by name, so their order is free; those that are no features are ignored, as MLflow itself does
    with columns outside a signature. Missing values are allowed, missing columns are not.
    """

    def load_context(self, context: PythonModelContext) -> None:
        """Read both models from the bundle that was logged with this code.

        Parameters
        ----------
        context : PythonModelContext
            Holds the folder under ``context.artifacts["bundle"]``. MLflow passes it by this very name.
        """
        bundle = Path(context.artifacts["bundle"])
        self.churn_model = ChurnModel.load(bundle)
        self.value_model = ValueModel.load(bundle, beside=self.churn_model)

    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Predict for every row.

        Parameters
        ----------
        context : PythonModelContext
            Not used; part of MLflow's protocol.
        model_input : DataFrame
            One row per client with the feature columns of training, in any order.
        params : dict, optional
            Not used; part of MLflow's protocol.

        Returns
        -------
        DataFrame
            ``churn_probability`` within [0, 1] and ``expected_value`` in money, on the index of `model_input`.

        Raises
        ------
        ValueError
            If a feature column is missing or stands twice; it names them.
        """
        return pd.DataFrame(
            {
                "churn_probability": self.churn_model.predict_proba(_features(model_input, self.churn_model))[:, 1],
                "expected_value": self.value_model.predict(_features(model_input, self.value_model)),
            },
            index=model_input.index,
        )


def _features(model_input: pd.DataFrame, model: ChurnModel | ValueModel) -> pd.DataFrame:
    """Take the columns a model was trained on, in its order."""
    wanted = [str(name) for name in model.feature_names_in_]
    counts = model_input.columns.value_counts()
    missing = [name for name in wanted if name not in counts]
    if missing:
        raise ValueError(
            f"`model_input` lacks {len(missing)} of {len(wanted)} feature columns: {', '.join(missing)}. "
            "Build it with loyalty.build_panel."
        )
    repeated = [name for name in wanted if counts[name] > 1]
    if repeated:
        raise ValueError(f"`model_input` holds columns of the same name: {', '.join(repeated)}. Keep one of each.")
    return model_input[wanted].astype("float64")


set_model(ServedModel())
