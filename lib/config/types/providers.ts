/** Files in the format of file_sd. */
export interface FileSourceConfig {
  readonly kind: 'file';
  /** The absolute path of the folder. */
  readonly folder: string;
  /** The name of a file, perhaps with * and ?. */
  readonly pattern: string;
}

/** Where servers come from that are not in the settings file. */
export type SourceConfig = FileSourceConfig;
