// Conditions of the form `column in (values)`, which each engine is told in its own way.
import { type BinaryOperationNode, OperatorNode, PrimitiveValueListNode } from "kysely";

/** The values; `undefined` for every other condition. */
export function listOf({ operator, rightOperand }: BinaryOperationNode): readonly unknown[] | undefined {
  const isIn = OperatorNode.is(operator) && operator.operator === "in";
  return isIn && PrimitiveValueListNode.is(rightOperand) ? rightOperand.values : undefined;
}
