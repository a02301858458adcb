// Columns that most tables have.

export type Flag = 0 | 1;

export interface StandardColumns {
  id: string;
  project_id: string;
  name: string;
  description: string;
  /** JSON: string[] */
  tags: string;
  revision_number: number;
  created_at: string;
  updated_at: string;
}
