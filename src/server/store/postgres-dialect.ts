// kysely on PostgreSQL, with lists as one parameter each.
import { type BinaryOperationNode, PostgresDialect, PostgresQueryCompiler } from "kysely";
import type pg from "pg";
import { listOf } from "./listed-values.ts";
import { preparingPool } from "./postgres-statements.ts";

/**
 * `column in ($1, $2, …)` is another statement for every number of values, which is read and planned each time it comes, and with
 * five hundred of them costs more than to find the rows. `column = any($1)` is one.
 */
class ListCompiler extends PostgresQueryCompiler {
  protected override visitBinaryOperation(node: BinaryOperationNode): void {
    const list = listOf(node);
    if (list === undefined) {
      super.visitBinaryOperation(node);
      return;
    }
    this.visitNode(node.leftOperand);
    // In these words statements with lists are told apart, see postgres-statements.ts.
    this.append(" = any(");
    this.appendValue(list);
    this.append(")");
  }
}

class ListDialect extends PostgresDialect {
  override createQueryCompiler(): PostgresQueryCompiler {
    return new ListCompiler();
  }
}

export const postgresDialect = (pool: pg.Pool): PostgresDialect => new ListDialect({ pool: preparingPool(pool) });
